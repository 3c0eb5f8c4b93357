"""The pages' markup: what stands around a report, and the list of studies. Whatever a user wrote is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple
from urllib.parse import quote

from tunefast.dashboard.pages.static import address
from tunefast.dashboard.pages.studies import Row, Standing

ROOT = "/tunefast/"
STUDIES = f"{ROOT}studies/"
OPTUNA_DASHBOARD = "/dashboard"
LINE_WIDTH, LINE_HEIGHT = 120, 28
"""Of the small line that shows the best value so far."""
_WHOLE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
{head}
</head>
<body data-mark="{mark}">
{body}
</body>
</html>
"""


def whole(title: str, mark: str, body: str, *, has_figures: bool = False) -> str:
    """A page that renews itself; `mark` tells it from the one that it becomes."""
    styles = [f'<link rel="stylesheet" href="{address(name)}">' for name in ("page.css", "frame.css")]
    names = ("plotly.js", "page.js", "renew.js") if has_figures else ("renew.js",)
    scripts = [f'<script defer src="{address(name)}"></script>' for name in names]
    return _WHOLE.format(title=escape(title), head="\n".join([*styles, *scripts]), mark=escape(mark), body=body)


class Place(NamedTuple):
    """Where a reader is."""

    study: str
    id: int
    """The study's, by which optuna-dashboard finds it."""
    page: str
    standing: Standing
    studies: Sequence[str]
    """All there are."""
    titles: Mapping[str, str]
    """Of all pages, by name."""


def study_page(content: str, place: Place) -> str:
    """A report's `content` under the way to the other pages and studies."""
    names = [name for name in place.studies if name != place.study]
    others = "".join(f"<li>{_link(where(name, place.page), name)}</li>" for name in names)
    switch = f"<details class='switch'><summary>Other studies</summary><ul>{others}</ul></details>" if others else ""
    tabs = "".join(
        f"<li>{_link(where(place.study, name), title, is_current=name == place.page)}</li>"
        for name, title in place.titles.items()
    )
    optuna = _link(in_optuna_dashboard(place.id), "optuna-dashboard")
    return (
        f"<nav class='frame'><div>{_link(ROOT, 'All studies')}{switch}</div><ul class='tabs'>{tabs}</ul>{optuna}</nav>"
        f"<main>{_standing(place.standing)}{content}</main>{_notice()}"
    )


def index_page(rows: Sequence[Row], titles: Mapping[str, str], database: str) -> str:
    """The list of studies."""
    none = (
        "<p>No study yet. <code>tunefast study run digits</code> makes one in a minute, and "
        "<code>tunefast init</code> a spec to start from.</p>"
    )
    studies = "".join(_entry(row, titles) for row in rows) or none
    optuna = _link(OPTUNA_DASHBOARD, "optuna-dashboard")
    head = f"<header><h1>Studies</h1><p class='quiet'>{escape(database)}</p></header>"
    return f"<nav class='frame'><div>tunefast</div>{optuna}</nav><main>{head}{studies}</main>{_notice()}"


def where(study: str, page: str) -> str:
    """The address of a page of a study."""
    return f"{STUDIES}{quote(study, safe='')}/{quote(page, safe='')}"


def in_optuna_dashboard(study_id: int) -> str:
    """The address of optuna-dashboard's page of a study."""
    return f"{OPTUNA_DASHBOARD}/studies/{study_id}"


def _entry(row: Row, titles: Mapping[str, str]) -> str:
    first = next(iter(titles))
    optuna = in_optuna_dashboard(row.id)
    name = _link(where(row.name, first) if row.standing else optuna, row.name)
    pages = [_link(where(row.name, page), title) for page, title in titles.items()] if row.standing else []
    links = "".join(f"<li>{link}</li>" for link in [*pages, _link(optuna, "optuna-dashboard")])
    best = f"<p class='best'>{escape(row.best)}</p>" if row.best else ""
    return (
        f"<article class='study'><div><h2>{name}</h2>{_standing(row.standing)}<p class='quiet'>{escape(row.trials)}</p>"
        f"</div><div class='result'>{_line(row.steps)}{best}</div><ul class='links'>{links}</ul>"
        f"{_confirmation(row, first)}</article>"
    )


def _confirmation(row: Row, page: str) -> str:
    """What runs of a study's best trials on new seeds say, and where these stand; the best of them is luck alone."""
    again = row.confirmation
    if again is None:
        return ""
    sure = f"<p class='confirmed'>{escape(row.confirmed)}</p>" if row.confirmed else ""
    link = _link(where(again.name, page), again.name)
    return f"<div class='confirmation'>{sure}<h3>{link}</h3>{_standing(again.standing)}</div>"


def _standing(standing: Standing | None) -> str:
    if standing is None:
        return ""
    kind = "running" if standing.is_running else "resting"
    trials = f"{standing.done:,} trials"
    bar = ""
    if standing.budget is not None:
        trials = f"{standing.done:,} of {standing.budget:,} trials"
        bar = f"<progress max='{standing.budget}' value='{standing.done}'>{trials}</progress>"
    return f"<p class='standing {kind}'><span>{escape(standing.words)}</span>{bar}<span>{trials}</span></p>"


def _line(steps: Sequence[float]) -> str:
    """The best value so far as a line that goes up."""
    if not steps:
        return ""
    across = LINE_WIDTH / (len(steps) - 1)
    points = " ".join(f"{index * across:.1f},{LINE_HEIGHT * (1 - share):.1f}" for index, share in enumerate(steps))
    box = f"-2 -2 {LINE_WIDTH + 4} {LINE_HEIGHT + 4}"
    label = "how the best value so far went up or down"
    return f"<svg viewBox='{box}' role='img' aria-label='{label}'><polyline points='{points}'/></svg>"


def _link(target: str, text: str, *, is_current: bool = False) -> str:
    current = " aria-current='page'" if is_current else ""
    return f"<a href='{escape(target)}'{current}>{escape(text)}</a>"


def _notice() -> str:
    """Where the page says that it cannot renew itself."""
    return "<p id='notice' role='status' hidden></p>"
