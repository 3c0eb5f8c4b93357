"""Drawing: what all pictures share. Colours of Okabe and Ito, which colour-blind readers tell apart.

Source: Okabe and Ito, "Color Universal Design", 2008. Ink and grid are the page's, which knows whether it is dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optuna.trial import FrozenTrial

from tunefast.report.figures.figure import Drawing
from tunefast.store.rows import state_word

ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#999999"
EARLY_STOPPED = "early-stopped"
COLOURS = {
    "complete": BLUE,
    EARLY_STOPPED: GREEN,
    "pruned": ORANGE,
    "running": SKY,
    "waiting": PURPLE,
    "infeasible": PURPLE,
    "failed": VERMILION,
}
"""By how a trial stands; others are grey."""
DASHES = {"complete": "solid", EARLY_STOPPED: "dash", "pruned": "dot"}
SYMBOLS = {"complete": "circle", EARLY_STOPPED: "square", "pruned": "x", "failed": "diamond"}
"""So that they are told apart without colour, too."""
HALO = "#ffffff"
"""Behind words that stand on lines; a page puts its own paper in its place."""
HEIGHT, STANDOFF = 380, 12
"""Pixels; so many are free between an axis's numbers and its title."""
SECONDS_A_MINUTE, SECONDS_AN_HOUR = 60, 3600


def standing(trial: FrozenTrial) -> str:
    """How a trial stands, with those apart that patience ended."""
    word = state_word(trial)
    return EARLY_STOPPED if word == "complete" and trial.user_attrs.get("reason") == "early_stopping" else word


def picture(traces: Sequence[dict[str, Any]], *, x: str, y: str, **layout: Any) -> Drawing:
    """A Plotly figure of these traces over axes with these titles; raises `ValueError` where Plotly knows no such."""
    import plotly.graph_objects as go

    axes: dict[str, dict[str, Any]] = {
        name: {"title": {"text": text}, "automargin": True} for name, text in (("xaxis", x), ("yaxis", y))
    }
    for name in axes:
        axes[name] |= layout.pop(name, {})
    axes |= {name: layout.pop(name) for name in list(layout) if name.startswith(("xaxis", "yaxis"))}
    for axis in axes.values():
        axis["title"] = axis.get("title", {}) | {"standoff": STANDOFF}
    shared = {
        "height": HEIGHT,
        "margin": {"l": 10, "r": 10, "t": 10, "b": 10},
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
        "hovermode": "closest",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
    }
    drawn: Drawing = go.Figure(data=list(traces), layout={**shared, **axes, **layout}).to_plotly_json()
    drawn["layout"].pop("template", None)
    return drawn


def rows_axis(num_rows: int) -> dict[str, Any]:
    """A vertical axis of rows 0, 1 ... from the top, which carry `labels_above` in place of numbers."""
    ends = [num_rows - 0.5, -0.75]
    return {"showticklabels": False, "showgrid": False, "zeroline": False, "range": ends}


def labels_above(texts: Sequence[str], distance: float) -> list[dict[str, Any]]:
    """A label above the middle of each row, since beside it there is no room on a phone; `distance` is in rows."""
    placed = {"x": 0, "xref": "paper", "xanchor": "left", "yref": "y", "yanchor": "bottom", "showarrow": False}
    placed |= {"bgcolor": HALO, "font": {"size": 12}}
    return [placed | {"y": at - distance, "text": text} for at, text in enumerate(texts)]


def time_unit(seconds: float) -> tuple[str, float]:
    """The unit for an axis that ends at so many seconds, and how many seconds it has."""
    if seconds > 2 * SECONDS_AN_HOUR:
        return "hours", SECONDS_AN_HOUR
    return ("minutes", SECONDS_A_MINUTE) if seconds > 2 * SECONDS_A_MINUTE else ("seconds", 1.0)
