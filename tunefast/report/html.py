"""A report as one HTML file that works offline: Plotly and the data are inside, and nothing else may run or load."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from tunefast.report.figures.figure import Table
from tunefast.report.page import Report, Section
from tunefast.report.words import Opening

MOST_ROWS = 50
"""Of a table."""
POLICY = (
    "default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; "
    "form-action 'none'"
)
"""Scripts are known by their hashes. Plotly writes its styles as it draws, so that these cannot be; without a source
for images, fonts or links a style can load nothing."""
HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
"""
TEMPLATES = ("hovertemplate",)
"""Strings of Plotly's in which its own tags stand, and never a user's words."""


def html(report: Report) -> str:
    """The whole file."""
    scripts = [plotly_script(), own_file("page.js")] if any(section.drawing for section in report.sections) else []
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts) or "'none'"
    title = escape(f"{report.study}: {report.title}")
    head = HEAD.format(policy=POLICY.format(hashes=hashes), title=title, style=own_file("page.css"))
    body = [content(report), "</main>", *(f"<script>{script}</script>" for script in scripts)]
    return head + "\n".join(body) + "\n</body>\n</html>\n"


def content(report: Report) -> str:
    """What a page shows, without the scripts that draw its figures."""
    moment = f"{report.title}, {report.moment:%Y-%m-%d %H:%M %Z}"
    parts = [
        f"<header><h1>{escape(report.study)}</h1><p class='quiet'>{escape(moment)}</p></header>",
        _opening(report.opening),
        *(_section(section) for section in report.sections),
    ]
    return "\n".join(parts)


def _opening(opening: Opening) -> str:
    parts = [f"<p>{escape(' '.join(opening.sentences))}</p>"]
    if opening.settings:
        rows = "".join(f"<dt>{escape(path)}</dt><dd>{escape(value)}</dd>" for path, value in opening.settings.items())
        parts.append(f"<dl>{rows}</dl>")
    if opening.commands:
        rows = "".join(
            f"<li>{escape(each.meaning)}: <code>{escape(each.line)}</code></li>" for each in opening.commands
        )
        parts.append(f"<p>Next:</p><ul>{rows}</ul>")
    return f"<section class='opening'>{''.join(parts)}</section>"


def _section(section: Section) -> str:
    parts = [f"<section><h2>{escape(section.title)}</h2>", f"<p class='quiet'>{escape(section.caption)}</p>"]
    if section.drawing is not None:
        data = f"data-{section.name}"
        title = escape(section.title)
        parts.append(f"<div class='figure' data-figure='{data}' role='img' aria-label='{title}'></div>")
        parts.append(f"<script type='application/json' id='{data}'>{for_script(section.drawing)}</script>")
    if section.table is not None:
        parts.append(_table(section.table))
    return "\n".join([*parts, "</section>"])


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    shown = table.rows[:MOST_ROWS]
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in shown)
    more = "" if len(shown) == len(table.rows) else f"<p>The first {len(shown)} of {len(table.rows):,} rows.</p>"
    grid = f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    holds = f"<p>{escape(table.holds)}</p>" if table.holds else ""
    return f"<details><summary>Numbers</summary>{holds}{grid}{more}</details>"


def for_script(drawing: Any) -> str:
    """JSON that no parser of HTML takes for tags, in which Plotly takes no user's words for tags either."""
    text = json.dumps(_plain(drawing), allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _plain(value: Any, key: str = "") -> Any:
    """Plotly reads a few tags in all texts: those of users are no tags. What is no finite number is left empty."""
    if isinstance(value, dict):
        return {name: _plain(item, name) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, key) for item in value]
    if isinstance(value, str):
        return value if key in TEMPLATES else escape(value, quote=False)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@cache
def plotly_script() -> str:
    """Plotly's own code, several megabytes, ready to stand inside a page."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs()).replace("\r\n", "\n").replace("</script", "<\\/script")


@cache
def own_file(name: str) -> str:
    """A script or style of ours: ``page.js``, ``page.css``."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
