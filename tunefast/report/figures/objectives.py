"""Objectives against each other, where a study has several: the first one over each of the others."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from tunefast.report.figures.drawing import GREY, VERMILION, picture
from tunefast.report.figures.figure import Drawing, Figure, Table, left_out, thinned
from tunefast.report.phrases import number
from tunefast.store.snapshot import StudySnapshot

MOST_POINTS, MOST_OBJECTIVES = 1000, 5
HEIGHT_OF_ONE, GAP = 320, 0.25
"""Pixels; the share of its height that stays empty below a plot."""


class Reached(NamedTuple):
    """A complete trial."""

    trial: int
    values: list[float]
    on_front: bool


class Objectives(NamedTuple):
    """All complete trials, in order."""

    metrics: list[str]
    trials: list[Reached]

    @property
    def front(self) -> list[Reached]:
        """Those than which no other is as good in every objective and better in one."""
        return [each for each in self.trials if each.on_front]


def applies(study: StudySnapshot) -> bool:
    """Whether there is anything to compare."""
    return study.spec.study.has_several


def numbers(study: StudySnapshot) -> Objectives | None:
    """The values of the complete trials."""
    front = {trial.number for trial in study.front}
    trials = [
        Reached(trial.number, list(trial.values), trial.number in front)
        for trial in study.complete
        if all(map(math.isfinite, trial.values))
    ]
    return Objectives(study.spec.study.metrics, trials) if trials else None


def draw(found: Objectives) -> Drawing:
    """A plot for each objective but the first, one below the other."""
    others = found.metrics[1 : MOST_OBJECTIVES + 1]
    beaten = thinned([each for each in found.trials if not each.on_front], MOST_POINTS)
    traces: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    for index, metric in enumerate(others):
        suffix = "" if index == 0 else str(index + 1)
        top = 1 - index / len(others)
        domain = [max(0.0, top - (1 - GAP) / len(others)), top]
        axes[f"xaxis{suffix}"] = {"anchor": f"y{suffix}", "title": {"text": metric}}
        axes[f"yaxis{suffix}"] = {"anchor": f"x{suffix}", "title": {"text": found.metrics[0]}, "domain": domain}
        looks = (("others", beaten, GREY, "circle"), ("front", thinned(found.front, MOST_POINTS), VERMILION, "diamond"))
        for name, trials, colour, symbol in looks:
            trace = _trace(trials, index + 1, suffix)
            marker = {"color": colour, "symbol": symbol, "size": 7}
            traces.append(trace | {"name": name, "marker": marker, "legendgroup": name, "showlegend": index == 0})
    return picture(traces, x="", y="", height=HEIGHT_OF_ONE * len(others) + 60, **axes)


def _trace(trials: list[Reached], objective: int, suffix: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [each.values[objective] for each in trials],
        "y": [each.values[0] for each in trials],
        "text": [f"trial {each.trial}" for each in trials],
        "hovertemplate": "%{text}: %{y:.5g} at %{x:.5g}<extra></extra>",
        "xaxis": f"x{suffix}",
        "yaxis": f"y{suffix}",
    }


def caption(found: Objectives) -> str:
    """What the front is."""
    shown = min(len(found.front), MOST_POINTS) + min(len(found.trials) - len(found.front), MOST_POINTS)
    return (
        "No trial is as good in every objective as one on the front, and better in one."
        f"{left_out(shown, len(found.trials), 'complete trials')}"
    )


def table(found: Objectives) -> Table:
    """The front."""
    rows = [(str(each.trial), *map(number, each.values)) for each in found.front]
    return Table(("trial", *found.metrics), rows, f"The front: {len(rows):,} of {len(found.trials):,} complete trials.")


FIGURE = Figure("Objectives", "a complete trial and several objectives", numbers, draw, table, caption, applies)
