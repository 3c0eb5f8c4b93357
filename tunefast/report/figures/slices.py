"""Slices: the value over each setting, one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from tunefast.report.figures.drawing import BLUE, picture
from tunefast.report.figures.figure import Drawing, Figure, Table, left_out, thinned
from tunefast.report.figures.scales import MOST_TICKS, Scale, finite, log_ticks, scales
from tunefast.report.phrases import number, setting
from tunefast.store.snapshot import StudySnapshot

MOST_SETTINGS, MOST_POINTS = 12, 500
HEIGHT_OF_ONE, GAP = 200, 0.45
"""Pixels; the share of its height that stays empty below a slice."""


class Slice(NamedTuple):
    """One setting."""

    scale: Scale
    points: list[tuple[int, Any, float]]
    """Trial, setting, value."""
    best: tuple[int, Any, float]


class Slices(NamedTuple):
    """All settings that trials have."""

    metric: str
    slices: list[Slice]


def numbers(study: StudySnapshot) -> Slices | None:
    """By setting what the complete trials had for it and got."""
    better = max if study.spec.study.maximize else min
    trials = finite(study)
    found = []
    for scale in scales(study):
        points = [
            (each.number, each.params[scale.name], each.values[0]) for each in trials if scale.name in each.params
        ]
        if points:
            found.append(Slice(scale, points, better(points, key=lambda point: point[2])))
    return Slices(study.spec.study.main_metric, found) if found else None


def draw(found: Slices) -> Drawing:
    """Axes of their own for each setting, of full width, so that a phone shows them."""
    drawn = found.slices[:MOST_SETTINGS]
    traces: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    for index, each in enumerate(drawn):
        suffix = "" if index == 0 else str(index + 1)
        points = thinned(each.points, MOST_POINTS)
        traces.append(_trace(each.scale, points, suffix))
        top = 1 - index / len(drawn)
        domain = [max(0.0, top - (1 - GAP) / len(drawn)), top]
        axes[f"xaxis{suffix}"] = {"anchor": f"y{suffix}", "title": {"text": each.scale.name}, **_axis(each.scale)}
        axes[f"yaxis{suffix}"] = {"anchor": f"x{suffix}", "domain": domain, "title": {"text": found.metric}}
    return picture(traces, x="", y="", showlegend=False, height=HEIGHT_OF_ONE * len(drawn) + 40, **axes)


def _axis(scale: Scale) -> dict[str, Any]:
    """What kind it is, and of a logarithmic one which numbers stand on it: Plotly's are too many, or digits alone."""
    if scale.labels:
        return {"type": "category", **_in_order(scale.labels)}
    if not scale.log:
        return {"type": "linear", "nticks": MOST_TICKS}
    ticks = log_ticks(scale.low, scale.high)
    return {"type": "log", "tickvals": ticks, "ticktext": [setting(tick) for tick in ticks], "tickangle": 0}


def _in_order(labels: Sequence[str]) -> dict[str, Any]:
    """All choices in their order, also those that no complete trial has, with half a step at either end."""
    return {"categoryorder": "array", "categoryarray": list(labels), "range": [-0.5, len(labels) - 0.5]}


def _trace(scale: Scale, points: list[tuple[int, Any, float]], suffix: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [setting(value) if scale.labels else value for _, value, _ in points],
        "y": [value for _, _, value in points],
        "text": [f"trial {trial}" for trial, _, _ in points],
        "hovertemplate": "%{text}, %{x}: %{y:.5g}<extra></extra>",
        "marker": {"color": BLUE, "size": 6, "opacity": 0.8},
        "xaxis": f"x{suffix}",
        "yaxis": f"y{suffix}",
    }


def caption(found: Slices) -> str:
    """What is left out."""
    most = max(len(each.points) for each in found.slices)
    settings = left_out(min(len(found.slices), MOST_SETTINGS), len(found.slices), "settings")
    return f"Each point is a complete trial.{settings}{left_out(min(most, MOST_POINTS), most, 'trials')}"


def table(found: Slices) -> Table:
    """A row per setting."""
    rows = [
        (each.scale.name, str(len(each.points)), setting(each.best[1]), number(each.best[2])) for each in found.slices
    ]
    return Table(("setting", "trials", "best at", found.metric), rows, "Of each setting its best trial.")


FIGURE = Figure(
    "Settings one by one", "a complete trial with settings that are searched", numbers, draw, table, caption
)
