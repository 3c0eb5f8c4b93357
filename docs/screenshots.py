"""Take the pictures that README.md shows, of the shipped study, which is run for them: ``python docs/screenshots.py``.

Needs Chromium and playwright for the pages; the terminal's picture, docs/terminal.svg, is drawn by rich.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import chdir
from io import StringIO
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Page, ViewportSize, sync_playwright
from rich.console import Console

import tunefast
from tunefast.cli.live import picture, terminal_page
from tunefast.run.specs import shipped
from tunefast.spec.load import load_spec
from tunefast.spec.progress import Progress

HERE = Path(__file__).resolve().parent
STUDY = "digits"
LEAST_CURVE = 4
"""Epochs of which a trial's curve is worth a look."""
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


def run() -> None:
    """Run the study, and keep what a terminal of 80 columns shows when half of it is done and both workers train."""
    tunefast.create_study(load_spec(shipped("studies")[STUDY]))
    seen: list[Progress] = []
    tunefast.run_study(STUDY, workers=2, on_progress=seen.append)
    busy = [each for each in seen if all(len(slot.curve) > LEAST_CURVE for slot in each.slots) and each.finished]
    half = min(busy or seen, key=lambda each: abs(each.finished - (each.trials or 0) / 2))
    console = Console(record=True, width=80, file=StringIO(), force_terminal=True)
    console.print(picture(half, terminal_page()))
    console.save_svg(str(HERE / "terminal.svg"), title=f"tunefast study run {STUDY} -n 2")


def main() -> None:
    """Run the study, serve it, write its report, and look at all three."""
    command = [sys.executable, "-m", "tunefast"]
    with tempfile.TemporaryDirectory() as directory, chdir(directory), sync_playwright() as playwright:
        run()
        report = Path(directory) / "report.html"
        subprocess.run([*command, "report", STUDY, "-o", str(report)], check=True)
        serving = [*command, "dashboard", "--port", "0"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        with subprocess.Popen(serving, stdout=subprocess.PIPE, text=True) as server:
            try:
                lines = iter(server.stdout or ())
                link = next(found[0] for line in lines if (found := re.search(r"http://\S+/login\S+", line)))
                page = browser.new_page(viewport=WIDE)
                page.goto(link)
                page.goto(f"{page.url}studies/{quote(STUDY, safe='')}/overview")
                take(page, "dashboard")
            finally:
                server.terminate()
        phone = browser.new_page(viewport=PHONE, color_scheme="dark")
        phone.goto(report.as_uri())
        phone.locator("section", has_text="Learning curves").first.evaluate("(each) => each.scrollIntoView()")
        take(phone, "report")
        browser.close()


if __name__ == "__main__":
    main()
