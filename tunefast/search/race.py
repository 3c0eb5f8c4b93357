"""Racing to a target: which trial to stop since it cannot be the one that gets there for the least cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from tunefast.search.pruning import Curve, Standing, halfway
from tunefast.search.pruning.forecast import ForecastRule
from tunefast.spec.study_section import Target

SPENT, BEST, NEEDED, CURVES = "race_spent", "race_best", "race_needed", "race_curves"
"""Among a report's details: what the trial has spent, what the best one spent in all, what its metric had to be by now
to get to the target in time, and from how many whole curves that comes."""
MOST_DOUBLINGS = 10.0
"""Of a trial's training that an extrapolation looks ahead: a trial that gains less gets there only in theory."""


class Lap(NamedTuple):
    """Where a trial of a race stands after an epoch."""

    stop: str | None
    """Why it cannot win; None where it may."""
    numbers: dict[str, float]
    """By which that was decided."""


class RaceRule:
    """Stops trials that have spent more than the best one did, or whose forecast does not get to the target in time.

    A trial's metric may gain what `ForecastRule` allows: the most that any trial gained from the same share of its
    training on, and with every doubling of its epochs as much as in the last one. Where even `margin` times that leaves
    it short of the target, it is stopped. In time is before its cost is that of the best trial, and its last epoch.
    """

    def __init__(self, target: Target, *, maximize: bool) -> None:
        self._target = target
        self._sign = -1.0 if maximize else 1.0
        self._forecast = ForecastRule(target.startup_trials, target.margin, maximize=maximize)

    def learn(self, curve: Curve) -> None:
        """Take in what a trial gained; `complete` is whether its training ended by itself, at the target or not."""
        self._forecast.learn(curve)

    def judge(self, standing: Standing, spent: float, best: float | None) -> Lap:
        """Whether a trial that has not got to the target yet may still win, and by which numbers."""
        numbers = {SPENT: spent} | ({BEST: best} if best is not None else {})
        if not self._target.stops or standing.is_done:
            return Lap(None, numbers)
        if best is not None and spent >= best:
            return Lap("it has spent more than the best trial", numbers)
        last = standing.epoch * best / spent if best is not None and spent > 0 else math.inf
        gain = self._forecast.may_gain(standing, min(last, standing.planned or math.inf))
        if gain is None or math.isnan(standing.best) or standing.epoch <= self._target.warmup_epochs:
            return Lap(None, numbers)
        needed = self._target.value + self._sign * self._target.margin * gain
        numbers |= {NEEDED: needed, CURVES: float(self._forecast.num_complete)}
        falls_short = self._sign * (standing.best - needed) > 0
        return Lap("it will not get to the target in time" if falls_short else None, numbers)


def extrapolated(curve: Mapping[int, float], spent: float, target: float, *, maximize: bool) -> float | None:
    """What a trial that was stopped would have spent to get to the target; None where it reported no number.

    As much is gained with every doubling of its training as in the last one. Trials that gain too little for that are
    ranked by what their best value lacks.
    """
    sign = -1.0 if maximize else 1.0
    costs = {epoch: sign * value for epoch, value in curve.items() if math.isfinite(value)}
    if not costs:
        return None
    best = min(costs.values())
    until = halfway(max(costs))
    before = min((cost for epoch, cost in costs.items() if epoch <= until), default=best)
    gap = max(0.0, best - sign * target)
    if gap == 0:
        return spent
    gain = before - best
    doublings = min(gap / gain, MOST_DOUBLINGS) if gain > 0 else MOST_DOUBLINGS
    behind = 1 + gap / (abs(target) or 1.0) if doublings == MOST_DOUBLINGS else 1.0
    return spent * 2**doublings * behind
