"""A report's figures as PNG files, drawn by a Chromium without a window, which kaleido finds and drives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from tunefast.errors import UserError
from tunefast.report.figures.figure import Drawing
from tunefast.report.page import Report
from tunefast.report.standalone import dressed

WIDTH = 900
"""Pixels."""
DENSITY = 2
"""Pixels of a file for each of these, so that print is sharp."""
START_SECONDS, DRAW_SECONDS = 60, 60
"""After which a browser that says nothing is given up."""
NO_BROWSER = (
    "--format png needs Chrome or Chromium: install one (on Debian and Ubuntu: apt install chromium), or let "
    "BROWSER_PATH be its path"
)


def pictures(report: Report) -> dict[str, bytes]:
    """The figures that have numbers, by name. Raises `UserError` where kaleido or a browser is missing."""
    drawings = {
        section.name: dressed(section.drawing, f"{report.study}: {section.title}")
        for section in report.sections
        if section.drawing is not None
    }
    if not drawings:
        raise UserError(message=f"study {report.study!r} has no figure yet: no trial of it has reported anything")
    try:
        import kaleido
        from choreographer.browsers import BrowserClosedError, BrowserFailedError, ChromeNotFoundError
    except ImportError as error:
        raise UserError(message="--format png needs kaleido: pip install 'tunefast[png]'") from error
    logging.getLogger("choreographer").setLevel(logging.CRITICAL)  # our message says what is the matter
    logging.getLogger("kaleido").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(_drawn(kaleido, drawings))
    except ChromeNotFoundError as error:
        raise UserError(message=NO_BROWSER) from error
    except (BrowserFailedError, BrowserClosedError, TimeoutError, OSError) as error:
        raise UserError(message=f"the browser that was found did not draw. {NO_BROWSER}") from error


async def _drawn(kaleido: Any, drawings: Mapping[str, Drawing]) -> dict[str, bytes]:
    """One browser for all; nothing is asked of a network."""
    browser = kaleido.Kaleido(mathjax=False, timeout=DRAW_SECONDS)
    found = {}
    async with asyncio.timeout(START_SECONDS) as clock, browser:
        clock.reschedule(None)
        for name, drawing in drawings.items():
            size = {"width": WIDTH, "height": drawing["layout"]["height"], "scale": DENSITY, "format": "png"}
            found[name] = await browser.calc_fig(drawing, opts=size)
    return found
