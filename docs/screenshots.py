"""Take the pictures that README.md shows, of a study that has ended: ``python docs/screenshots.py URL STUDY``.

Needs Chromium and playwright. The terminal's picture, docs/terminal.svg, is none of a browser.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Page, ViewportSize, sync_playwright

HERE = Path(__file__).parent
WIDE, PHONE = ViewportSize(width=1000, height=960), ViewportSize(width=390, height=760)
MOST_BYTES = 200_000
FIGURE = "[data-figure] svg .xtick"


def take(page: Page, name: str) -> None:
    """Write a picture of what is seen, once figures are drawn."""
    page.locator(FIGURE).first.wait_for()
    path = HERE / f"{name}.png"
    page.screenshot(path=path)
    if path.stat().st_size > MOST_BYTES:
        sys.exit(f"{path} has more than {MOST_BYTES} bytes")


def main(storage: str, study: str) -> None:
    """Serve the study, write its report, and look at both."""
    command = [sys.executable, "-m", "tunefast"]
    serving = [*command, "dashboard", "--port", "0", "--storage", storage]
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        report = Path(directory) / "report.html"
        subprocess.run([*command, "report", study, "-o", str(report), "--storage", storage], check=True)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        with subprocess.Popen(serving, stdout=subprocess.PIPE, text=True) as server:
            try:
                lines = iter(server.stdout or ())
                link = next(found[0] for line in lines if (found := re.search(r"http://\S+/login\S+", line)))
                page = browser.new_page(viewport=WIDE)
                page.goto(link)
                page.goto(f"{page.url}studies/{quote(study, safe='')}/overview")
                take(page, "dashboard")
            finally:
                server.terminate()
        phone = browser.new_page(viewport=PHONE, color_scheme="dark")
        phone.goto(report.as_uri())
        phone.locator("section", has_text="Learning curves").first.evaluate("(each) => each.scrollIntoView()")
        take(phone, "report")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
