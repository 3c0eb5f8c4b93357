"""Accuracy against training seconds, and the trials that no other beats in both."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any, NamedTuple

from tunefast.report.figures.drawing import COLOURS, GREY, SYMBOLS, VERMILION, picture, standing, time_unit
from tunefast.report.figures.figure import Drawing, Figure, Table, left_out, thinned
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
    """The best it reported."""


class Tradeoff(NamedTuple):
    """All trials that were timed, and those on the front, fastest first."""

    metric: str
    trials: list[Spent]
    front: list[Spent]


def numbers(study: StudySnapshot) -> Tradeoff | None:
    """By trial its seconds and the best it reported of the metric that trials are compared by."""
    section = study.spec.study
    metric = section.curve_metric
    seconds: dict[int, float] = defaultdict(float)
    values: dict[int, list[float]] = defaultdict(list)
    for row in study.epochs:
        seconds[row["trial"]] += row["train_seconds"]
        value = row["metrics"].get(metric)
        if value is not None and math.isfinite(value):
            values[row["trial"]].append(value)
    better = max if section.curve_maximize else min
    found = [
        Spent(trial.number, standing(trial), seconds[trial.number], better(values[trial.number]))
        for trial in study.trials
        if values.get(trial.number) and seconds[trial.number] > 0
    ]
    if not found:
        return None
    return Tradeoff(metric, found, front(found, maximize=section.curve_maximize))


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
        "The best that each trial reported against the seconds it trained. No trial got further in less time than "
        f"those on the front.{left_out(shown, len(found.trials), 'trials')}"
    )


def table(found: Tradeoff) -> Table:
    """The front."""
    rows = [(str(each.trial), brief(each.seconds), number(each.value), each.standing) for each in found.front]
    return Table(("trial", "training", found.metric, "state"), rows)


FIGURE = Figure("Result against training time", "a trial whose epochs were timed", numbers, draw, table, caption)
