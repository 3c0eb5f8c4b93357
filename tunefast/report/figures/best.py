"""Best value so far, over trials and over wall time."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from tunefast.report.figures.drawing import BLUE, ORANGE, picture, time_unit
from tunefast.report.figures.figure import Drawing, Figure, Table, left_out, thinned
from tunefast.report.phrases import duration, number
from tunefast.store.rows import IMPORTED
from tunefast.store.snapshot import StudySnapshot

MOST_POINTS = 1500
FEW_TRIALS = 8
"""Of so few every number stands on the axis."""


class Point(NamedTuple):
    """A complete trial."""

    at: float
    """Where it stands: its number, or seconds since the first trial started."""
    trial: int
    value: float
    best: float
    """Of all up to here."""


class BestSoFar(NamedTuple):
    """The complete trials in order, each with the best value up to it."""

    metric: str
    points: list[Point]

    @property
    def records(self) -> list[Point]:
        """Those that were better than all before."""
        previous = [None, *(point.best for point in self.points)]
        return [point for point, best in zip(self.points, previous, strict=False) if point.best != best]


def by_trial(study: StudySnapshot) -> BestSoFar | None:
    """In the order of their numbers."""
    return _so_far(study, ((float(trial.number), trial.number, trial.values[0]) for trial in study.complete))


def by_time(study: StudySnapshot) -> BestSoFar | None:
    """In the order in which they ended, over the seconds since the study's first trial started."""
    own = [trial for trial in study.trials if IMPORTED not in trial.user_attrs]
    start = min((trial.datetime_start for trial in own if trial.datetime_start is not None), default=None)
    if start is None:
        return None
    ended = [
        ((trial.datetime_complete - start).total_seconds(), trial.number, trial.values[0])
        for trial in study.complete
        if trial.datetime_complete is not None and IMPORTED not in trial.user_attrs
    ]
    return _so_far(study, sorted(ended))


def _so_far(study: StudySnapshot, values: Iterable[tuple[float, int, float]]) -> BestSoFar | None:
    better = max if study.spec.study.maximize else min
    points: list[Point] = []
    for at, trial, value in values:
        if math.isfinite(value):
            points.append(Point(at, trial, value, better(value, points[-1].best) if points else value))
    return BestSoFar(study.spec.study.main_metric, points) if points else None


def draw_by_trial(numbers: BestSoFar) -> Drawing:
    """Trials as points, the best so far as steps."""
    few = {"dtick": 1} if numbers.points[-1].at < FEW_TRIALS else {}
    return _draw(numbers, "trial", 1.0, **few)


def draw_by_time(numbers: BestSoFar) -> Drawing:
    """The same over time."""
    unit, seconds = time_unit(numbers.points[-1].at)
    return _draw(numbers, f"{unit} since the first trial started", seconds)


def _draw(numbers: BestSoFar, x: str, scale: float, **axis: Any) -> Drawing:
    shown = thinned(numbers.points, MOST_POINTS)
    trials = _trace(shown, scale, "trial", [point.value for point in shown])
    trials |= {"mode": "markers", "marker": {"color": BLUE, "size": 6, "opacity": 0.8}}
    steps = [*thinned(numbers.records, MOST_POINTS), numbers.points[-1]]
    best = _trace(steps, scale, "best so far", [point.best for point in steps])
    best |= {"mode": "lines", "line": {"color": ORANGE, "width": 3, "shape": "hv"}}
    return picture([trials, best], x=x, y=numbers.metric, xaxis=axis)


def _trace(points: list[Point], scale: float, name: str, values: list[float]) -> dict[str, Any]:
    said = [f"trial {point.trial}" for point in points]
    x = [point.at / scale for point in points]
    return {"type": "scatter", "name": name, "x": x, "y": values, "text": said, "hovertemplate": "%{text}: %{y:.5g}"}


def caption(numbers: BestSoFar) -> str:
    """What is drawn."""
    shown = min(len(numbers.points), MOST_POINTS)
    return f"Each point is a complete trial.{left_out(shown, len(numbers.points), 'complete trials')}"


def table_by_trial(numbers: BestSoFar) -> Table:
    """Every trial that was better than all before."""
    rows = [(str(each.trial), number(each.best)) for each in numbers.records]
    return Table(("trial", f"best {numbers.metric}"), rows, _records_in_words(numbers))


def table_by_time(numbers: BestSoFar) -> Table:
    """The same, with when it ended."""
    rows = [(duration(each.at), str(each.trial), number(each.best)) for each in numbers.records]
    return Table(("after", "trial", f"best {numbers.metric}"), rows, _records_in_words(numbers))


def _records_in_words(numbers: BestSoFar) -> str:
    return f"Those that were better than all before: {len(numbers.records):,} of {len(numbers.points):,}."


NEEDS = "a complete trial"
BY_TRIAL = Figure("Best value over trials", NEEDS, by_trial, draw_by_trial, table_by_trial, caption)
BY_TIME = Figure(
    "Best value over time", f"{NEEDS} that was trained here", by_time, draw_by_time, table_by_time, caption
)
