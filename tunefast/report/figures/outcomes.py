"""Outcomes: how far trials got and what they took, so that whole and stopped ones can be compared."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from optuna.trial import FrozenTrial

from tunefast.report.figures.reported import Reported, reported
from tunefast.report.pairing import Floats
from tunefast.store.rows import state_word
from tunefast.store.snapshot import StudySnapshot

COMPARED = ("complete", "pruned", "running")
"""Trials that failed or were infeasible tell nothing about how far a recipe gets."""


class Progress(NamedTuple):
    """A trial's way."""

    trial: FrozenTrial
    curve: dict[int, float]
    """Epoch -> the best up to it, in order; after the last one the trial's value, where it ended by itself."""
    until: float
    """The epoch up to which it is known; infinite where it ended by itself, since it would not go on."""
    seconds: float
    """Of training for all epochs that its recipe plans, at the pace of those it ran; 0 where it was not timed."""

    def at(self, epoch: float) -> float:
        """The best that it had reported by then, its value where it had ended; NaN where it had not reported yet."""
        known = [value for at, value in self.curve.items() if at <= epoch]
        return known[-1] if known else math.nan


def outcomes(study: StudySnapshot) -> list[Progress]:
    """Of each trial that has a number of the metric that trials are compared by, or was timed."""
    times: dict[int, list[float]] = defaultdict(list)
    for row in study.epochs:
        times[row["trial"]].append(row["train_seconds"])
    found = [
        _progress(study, each, times[each.trial.number])
        for each in reported(study)
        if state_word(each.trial) in COMPARED
    ]
    return [each for each in found if each.curve or each.seconds]


def _progress(study: StudySnapshot, each: Reported, times: Sequence[float]) -> Progress:
    """A trial's way, whose epochs took `times`."""
    section, trial = study.spec.study, each.trial
    curve = _best_so_far(each.curve, maximize=section.curve_maximize)
    ended = state_word(trial) == "complete" and section.target is None
    if each.value is not None and (ended or not curve):
        curve[max(curve, default=0) + 1] = each.value
    planned = study.spec.epochs_for(trial.params) if study.spec.knows_epochs else 1
    seconds = planned * sum(times) / len(times) if times else 0.0
    return Progress(trial, curve, math.inf if ended else max(curve, default=0), seconds)


def _best_so_far(curve: dict[int, float], *, maximize: bool) -> dict[int, float]:
    better = max if maximize else min
    best: dict[int, float] = {}
    for epoch in sorted(curve):
        best[epoch] = better([curve[epoch], *list(best.values())[-1:]])
    return best


def gaps(first: Sequence[Progress], second: Sequence[Progress]) -> Floats:
    """By how much more the `first` trials had reached than the `second`, a row a first one, a column a second one.

    Both after as many epochs, as far as both are known; NaN where one had reported nothing by then.
    """
    ends = sorted({each.until for each in (*first, *second)})
    reached = [np.array([[each.at(end) for end in ends] for each in side]) for side in (first, second)]
    known = [np.array([ends.index(each.until) for each in side], dtype=np.int64) for side in (first, second)]
    common = np.minimum.outer(*known)
    rows, columns = np.indices(common.shape)
    differences: Floats = reached[0][rows, common] - reached[1][columns, common]
    return differences


def time_gaps(first: Sequence[Progress], second: Sequence[Progress]) -> Floats:
    """By how much the logarithm of the `first` trials' training seconds is greater; NaN where one was not timed."""
    logs = [
        np.array([math.log(each.seconds) if each.seconds > 0 else math.nan for each in side])
        for side in (first, second)
    ]
    differences: Floats = np.subtract.outer(*logs)
    return differences
