"""Scripts and styles of tunefast's pages. Their addresses change with what is in them, so that browsers keep them."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

from tunefast.report.html import own_file, plotly_script

ROOT = "/tunefast/static/"
_OF_REPORTS = ("page.js", "page.css")
NAMES = ("plotly.js", *_OF_REPORTS, "frame.css", "renew.js", "link.css", "link.js")
TYPES = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}
_DIGEST_CHARS = 16


@cache
def text(name: str) -> str:
    """What is in a file; `name` is one of `NAMES`."""
    if name == "plotly.js":
        return plotly_script()
    if name in _OF_REPORTS:
        return own_file(name)
    return (Path(__file__).parent / "static" / name).read_text(encoding="utf-8")


@cache
def address(name: str) -> str:
    """Where browsers find a file."""
    digest = hashlib.sha256(text(name).encode()).hexdigest()[:_DIGEST_CHARS]
    return f"{ROOT}{digest}/{name}"


def type_of(name: str) -> str:
    """The content type of a file."""
    return TYPES[name.rpartition(".")[2]]


def plotly_styles() -> list[str]:
    """What Plotly's code writes into style elements; none where a later Plotly does so in another way."""
    return re.findall(r"\.textContent='([^'\\]+)'", text("plotly.js"))
