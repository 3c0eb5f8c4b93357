"""Pruning by forecast: a trial is stopped when all that it may still gain would not make it the best."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from tunefast.search.pruning.rule import Curve, Decision, Standing


class ForecastRule:
    """Stops a trial whose best value, with `margin` times what it may still gain, is worse than the best trial's.

    It may gain the most that any trial's best value improved by from there on, and what its own curve promises: with
    every doubling of its epochs as much as in the last one, which is how curves flatten that follow a logarithm or a
    power law. Trials of different lengths are compared at the same share of their training. With an annealed schedule
    the margin is `late` times as large, since what is gained near the end shows in no curve before.
    """

    def __init__(self, startup_trials: int, margin: float, *, maximize: bool, late: float = 1.0) -> None:
        self._startup_trials = startup_trials
        self._margin = margin
        self._late = late
        self._sign = -1.0 if maximize else 1.0
        self.num_complete = 0
        """Trials that ended by themselves."""
        self.version = 0
        """Changes when a trial may gain more than before; until then whoever falls short goes on falling short."""
        self._best = math.inf
        self._gains: dict[int | None, list[float]] = {}
        """By planned length: the largest gain after each epoch, as a cost; a list's first item is the first epoch's."""

    def learn(self, curve: Curve) -> None:
        """Take in what a trial gained; where it was stopped it would have gained more."""
        costs = list(self._best_so_far(curve))
        if not costs or math.isinf(costs[-1]):
            return
        if curve.complete:
            self.num_complete += 1
            self._best = min(self._best, costs[-1])
        gains = self._gains.get(curve.planned, [])
        more = [max(0.0, cost - costs[-1]) if math.isfinite(cost) else 0.0 for cost in costs]
        merged = [max(pair) for pair in itertools.zip_longest(gains, more, fillvalue=0.0)]
        if merged != gains:
            self._gains[curve.planned] = merged
            self.version += 1

    def _best_so_far(self, curve: Curve) -> Iterator[float]:
        """The best up to each epoch, as a cost; also for those without a report."""
        best = math.inf
        for epoch in range(1, max(curve.values, default=0) + 1):
            cost = self._sign * curve.values.get(epoch, math.nan)
            best = min(best, cost) if math.isfinite(cost) else best
            yield best

    def judge(self, standing: Standing) -> Decision:
        """Stop a trial that cannot become the best, unless it is done; one that has only NaN is stopped too."""
        missing = max(0, self._startup_trials - self.num_complete)
        if missing or standing.epoch <= standing.warmup_epochs:
            return Decision(prune=False, num_curves=self.num_complete, missing=missing)
        if math.isnan(standing.best):
            return Decision(prune=True, num_curves=self.num_complete)
        gain = self.may_gain(standing, math.inf)
        if gain is None or math.isinf(self._best):
            return Decision(prune=False, num_curves=self.num_complete)
        threshold = self._best + self._margin * (self._late if standing.annealed else 1.0) * gain
        worse = self._sign * standing.best > threshold
        return Decision(worse and not standing.is_done, self._sign * threshold, self.num_complete)

    def may_gain(self, standing: Standing, last: float) -> float | None:
        """What a trial may still gain until its end, or epoch `last`, with all doubts in its favour.

        None where that is not known: too few trials are complete, or none has got so far.
        """
        gain = self._largest_gain(standing)
        if gain is None or self.num_complete < self._startup_trials:
            return None
        return gain + self._own_gain(standing, last)

    def _own_gain(self, standing: Standing, last: float) -> float:
        """What its own curve promises until its end, or epoch `last`."""
        planned = min(last, standing.planned or max(len(gains) for gains in self._gains.values()))
        if math.isnan(standing.halfway) or planned <= standing.epoch:
            return 0.0
        return self._sign * (standing.halfway - standing.best) * math.log2(planned / standing.epoch)

    def _largest_gain(self, standing: Standing) -> float | None:
        """What any trial gained from the same share of its training on; None where none has got so far."""
        found = []
        for planned, gains in self._gains.items():
            scale = planned / standing.planned if planned and standing.planned else 1.0
            epoch = max(1, math.floor(standing.epoch * scale + 1e-9))
            if epoch <= len(gains):
                found.append(gains[epoch - 1])
        return max(found, default=None)
