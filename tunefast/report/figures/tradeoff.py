"""Accuracy against training seconds, and the trials that no other beats in both."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

from tunefast.report.figures.drawing import COLOURS, GREY, SYMBOLS, VERMILION, picture, standing, time_unit
from tunefast.report.figures.figure import Drawing, Figure, Table, left_out, thinned
from tunefast.report.figures.reported import reported
from tunefast.report.phrases import brief, number
from tunefast.store.snapshot import StudySnapshot

MOST_POINTS = 1500


class Spent(NamedTuple):
    """What a trial took and what it got."""

    trial: int
    standing: str
    seconds: float
    """Of training, over all epochs it ran."""
    value: float
    """As the study has it: of the epoch whose weights it keeps; of one that did not get to its end, the last."""


class Tradeoff(NamedTuple):
    """All trials that were timed, and those on the front, fastest first."""

    metric: str
    trials: list[Spent]
    front: list[Spent]


def numbers(study: StudySnapshot) -> Tradeoff | None:
    """By trial its seconds and its value of the metric that trials are compared by."""
    section = study.spec.study
    seconds: dict[int, float] = defaultdict(float)
    for row in study.epochs:
        seconds[row["trial"]] += row["train_seconds"]
    found = [
        Spent(each.trial.number, standing(each.trial), seconds[each.trial.number], each.value)
        for each in reported(study)
        if each.value is not None and seconds[each.trial.number] > 0
    ]
    if not found:
        return None
    return Tradeoff(section.curve_metric, found, front(found, maximize=section.curve_maximize))


def front(trials: list[Spent], *, maximize: bool) -> list[Spent]:
    """The trials than which none that took less, or as long, got better; fastest first."""
    sign = -1 if maximize else 1
    found: list[Spent] = []
    for each in sorted(trials, key=lambda each: (each.seconds, sign * each.value, each.trial)):
        if not found or sign * each.value < sign * found[-1].value:
            found.append(each)
    return found


def draw(found: Tradeoff) -> Drawing:
    """A point per trial, a line along the front."""
    unit, scale = time_unit(max(each.seconds for each in found.trials))
    groups: dict[str, list[Spent]] = defaultdict(list)
    for each in thinned(found.trials, MOST_POINTS):
        groups[each.standing].append(each)
    traces = [_trace(kind, kind, group, scale) for kind, group in groups.items()]
    line = {"color": VERMILION, "width": 2, "shape": "hv"}
    edge = _trace("front", "front", found.front, scale) | {"mode": "lines+markers", "line": line}
    edge["marker"] = {"color": VERMILION, "size": 9, "symbol": "diamond-open"}
    return picture([*traces, edge], x=f"{unit} of training", y=found.metric)


def _trace(name: str, kind: str, group: list[Spent], scale: float) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [each.seconds / scale for each in group],
        "y": [each.value for each in group],
        "text": [f"trial {each.trial}, {brief(each.seconds)}" for each in group],
        "hovertemplate": "%{text}: %{y:.5g}",
        "marker": {"color": COLOURS.get(kind, GREY), "symbol": SYMBOLS.get(kind, "circle"), "size": 7, "opacity": 0.7},
    }


def caption(found: Tradeoff) -> str:
    """What the front is."""
    shown = min(len(found.trials), MOST_POINTS)
    return (
        "Each trial's value against the seconds it trained: that of the epoch it keeps, or the last one of a trial "
        "that did not get to its end. No trial got further in less time than those on the front."
        f"{left_out(shown, len(found.trials), 'trials')}"
    )


def table(found: Tradeoff) -> Table:
    """The front."""
    rows = [(str(each.trial), brief(each.seconds), number(each.value), each.standing) for each in found.front]
    return Table(
        ("trial", "training", found.metric, "state"), rows, f"The front: {len(rows):,} of {len(found.trials):,} trials."
    )


FIGURE = Figure("Result against training time", "a trial whose epochs were timed", numbers, draw, table, caption)
