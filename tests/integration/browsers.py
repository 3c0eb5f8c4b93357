"""A real browser: Chromium as this machine has it, and what it has to say about the pages that it opens."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, Request, ViewportSize, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
DESKTOP = ViewportSize(width=1280, height=900)
PHONE = ViewportSize(width=390, height=844)


def chromium() -> str:
    """Where it is; without one the test is skipped, unless ``TUNEFAST_TEST_BROWSER`` says that there is."""
    found = os.environ.get("TUNEFAST_TEST_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium here: apt-get install chromium, or point TUNEFAST_TEST_BROWSER at one")
    return found


@contextmanager
def launched() -> Iterator[Browser]:
    """The browser; for root it goes without the sandbox that it refuses to be root in."""
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=arguments)
        try:
            yield browser
        finally:
            browser.close()


class Complaints:
    """What goes wrong on a page, to be none: errors, failed requests, requests to other hosts than `origin`."""

    def __init__(self, page: Page, origin: str) -> None:
        self.found: list[str] = []
        page.on("console", lambda message: self._if(message.type in ("error", "warning"), message.text))
        page.on("pageerror", lambda error: self._if(True, str(error)))
        page.on("requestfailed", lambda request: self._if(not _was_left(request), f"failed: {request.url}"))
        page.on("response", lambda answer: self._if(answer.status >= 400, f"{answer.status}: {answer.url}"))
        page.on(
            "request", lambda request: self._if(not request.url.startswith((origin, "data:", "blob:")), request.url)
        )

    def _if(self, is_one: bool, text: str) -> None:
        if is_one:
            self.found.append(text)


def _was_left(request: Request) -> bool:
    """Whether a request was given up because the page was left."""
    return bool(request.failure == "net::ERR_ABORTED")


def overflow(page: Page) -> int:
    """Pixels by which a page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def cut_words(page: Page) -> list[str]:
    """The words in figures that stand partly outside the figure, or on the title of their axis."""
    found: list[str] = page.evaluate("""() => [...document.querySelectorAll("[data-figure]")].flatMap((figure) => {
        const box = figure.getBoundingClientRect(), of = (each) => each.getBoundingClientRect();
        const texts = [...figure.querySelectorAll("svg text")].filter((each) => of(each).width > 0);
        const outside = texts.filter((each) => of(each).left < box.left - 1 || of(each).right > box.right + 1);
        const titles = texts.filter((each) => /^[xy]\\d*title$/.test(each.classList[0]));
        const meets = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
        const onTitle = texts.filter((each) => titles.some((title) => title !== each && meets(of(title), of(each))));
        return [...outside, ...onTitle].map((each) => `${figure.dataset.figure}: ${each.textContent}`);
    })""")
    return found


def drawn(page: Page) -> int:
    """The figures that stand on a page, each with points, lines or bars in it."""
    figures = page.locator("[data-figure]", has=page.locator("svg .points, svg .lines, svg .js-line"))
    return figures.count()
