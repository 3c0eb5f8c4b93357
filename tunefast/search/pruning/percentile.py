"""Pruning by rank among the completed trials at the same place of their training: the median, and other percentiles."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from tunefast.search.pruning.axis import Axis
from tunefast.search.pruning.counted import CarriedCurves, CountedCurves, ExactCurves
from tunefast.search.pruning.rule import Curve, Decision, Standing


class PercentileRule:
    """Decides what Optuna's `PercentilePruner` would decide, without reading the study again.

    For every epoch the values of the completed trials are kept sorted: a report costs one look-up, an ended trial one
    insertion per epoch. Optuna's ``n_warmup_steps`` is ``warmup_epochs + 1`` here, since epochs count from 1.
    With `include_running` other trials that run count as if they were complete, at the epochs that they have reached;
    then a report costs an insertion too. With `carry` curves count between their reports and beyond them as well, and
    may be compared by another `axis` than epochs.
    """

    def __init__(
        self,
        startup_trials: int,
        *,
        maximize: bool,
        percentile: float = 50.0,
        min_curves: int = 1,
        include_running: bool = False,
        carry: bool = False,
        axis: str = "epochs",
    ) -> None:
        self._startup_trials = startup_trials
        self._maximize = maximize
        self._percentile = 100 - percentile if maximize else percentile
        self._min_curves = min_curves
        self._include_running = include_running
        self._num_complete = 0
        self._num_nan: Counter[int] = Counter()
        """Completed trials that reached an epoch without a number: they count among `min_curves`, as with Optuna."""
        self._axis = Axis(axis)
        self._curves: CountedCurves = CarriedCurves(self._axis) if carry else ExactCurves()

    def learn(self, curve: Curve) -> None:
        """Take in the curve of a trial that completed, or runs on; of one that ended otherwise nothing counts."""
        self._curves.withdraw(curve.number)
        running = curve.running and self._include_running
        if curve.complete or running:
            self._num_complete += curve.complete
            self._num_nan.update(epoch for epoch, value in curve.values.items() if curve.complete and math.isnan(value))
            self._curves.add(curve.number, self._axis.points(curve), running=running)

    def judge(self, standing: Standing) -> Decision:
        """Stop a trial whose best is worse than the percentile at the epoch; one that has only NaN is stopped too."""
        place = self._axis.where(standing)
        self._curves.withdraw(standing.number, place)  # an attempt before may have got further
        decision = self._decision(standing, self._curves.at(place), self._curves.num_running(place))
        if self._include_running and not math.isnan(standing.value):
            self._curves.add(standing.number, {place: standing.value}, running=True)
        return decision

    def _decision(self, standing: Standing, values: Sequence[float], num_running: int) -> Decision:
        known = self._num_complete + num_running
        missing = max(0, self._startup_trials - known)
        if missing or standing.epoch <= standing.warmup_epochs:
            return Decision(prune=False, num_curves=len(values), missing=missing)
        if math.isnan(standing.best):
            return Decision(prune=True, num_curves=len(values))
        if not values or len(values) + self._num_nan[standing.epoch] < self._min_curves:
            return Decision(prune=False, num_curves=len(values))
        threshold = percentile(values, self._percentile)
        worse = standing.best < threshold if self._maximize else standing.best > threshold
        return Decision(worse, threshold, len(values))


def percentile(ordered: Sequence[float], percent: float) -> float:
    """A percentile of sorted numbers as NumPy computes it, to the last bit."""
    where = (len(ordered) - 1) * (percent / 100)
    low, high = ordered[math.floor(where)], ordered[math.ceil(where)]
    share = where - math.floor(where)
    nearer_low = share < 1 - share
    return low + (high - low) * share if nearer_low else high - (high - low) * (1 - share)
