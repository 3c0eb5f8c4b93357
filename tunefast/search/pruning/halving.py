"""Successive halving: at each rung the best fraction of the trials goes on, whoever got there when."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left, insort
from collections import defaultdict

from tunefast.recipe.seed import derive_seed
from tunefast.search.pruning.rule import Curve, Decision, Standing


class HalvingRule:
    """Asynchronous successive halving over rungs at ``min_epochs * reduction ** k``."""

    def __init__(self, min_epochs: int, reduction: int, *, maximize: bool) -> None:
        self._min_epochs = min_epochs
        self._reduction = reduction
        self._sign = -1.0 if maximize else 1.0
        self._rungs: dict[int, list[float]] = defaultdict(list)
        """Best values of the trials that reached a rung, as costs, sorted."""
        self._at: dict[tuple[int, int], float] = {}
        """The same by rung and trial."""

    def _is_rung(self, epoch: int) -> bool:
        rung = self._min_epochs
        while rung < epoch:
            rung *= self._reduction
        return rung == epoch

    def learn(self, curve: Curve) -> None:
        """Take in where a trial stood at each rung that it reached."""
        best = math.inf
        for epoch in sorted(curve.values):
            cost = self._sign * curve.values[epoch]
            best = min(best, cost) if math.isfinite(cost) else best
            if self._is_rung(epoch):
                self._stands(epoch, curve.number, best)

    def judge(self, standing: Standing) -> Decision:
        """Stop a trial that is not among the best at a rung; between rungs none, nor one that is done."""
        if not self._is_rung(standing.epoch):
            return Decision(prune=False)
        cost = math.inf if math.isnan(standing.best) else self._sign * standing.best
        ordered = self._stands(standing.epoch, standing.number, cost)
        threshold = ordered[max(1, len(ordered) // self._reduction) - 1]
        worse = cost > threshold or math.isinf(cost)
        return Decision(worse and not standing.is_done, self._sign * threshold, len(ordered))

    def _stands(self, rung: int, number: int, cost: float) -> list[float]:
        """Note where a trial stands, in place of what was noted of it before; returns all at that rung."""
        ordered = self._rungs[rung]
        if (rung, number) in self._at:
            del ordered[bisect_left(ordered, self._at[rung, number])]
        self._at[rung, number] = cost
        insort(ordered, cost)
        return ordered


class HyperbandRule:
    """Successive halving in brackets, each of which begins `reduction` times later than the one before."""

    def __init__(self, min_epochs: int, reduction: int, *, maximize: bool, seed: int) -> None:
        self._settings = min_epochs, reduction
        self._maximize = maximize
        self._seed = seed
        self._brackets: list[HalvingRule] = []

    def learn(self, curve: Curve) -> None:
        """Take in where a trial stood at the rungs of its bracket."""
        self._bracket(curve.number, curve.planned or max(curve.values, default=1)).learn(curve)

    def judge(self, standing: Standing) -> Decision:
        """Stop a trial that is not among the best at a rung of its bracket."""
        return self._bracket(standing.number, standing.planned or standing.epoch).judge(standing)

    def _bracket(self, number: int, planned: int) -> HalvingRule:
        """The bracket of a trial: each has about as many epochs to spend as any other."""
        min_epochs, reduction = self._settings
        count = 1 + max(0, math.floor(math.log(max(1.0, planned / min_epochs), reduction) + 1e-9))
        while len(self._brackets) < count:
            first = min_epochs * reduction ** len(self._brackets)
            self._brackets.append(HalvingRule(first, reduction, maximize=self._maximize))
        shares = [math.ceil(count * reduction**left / (left + 1)) for left in reversed(range(count))]
        drawn = derive_seed(self._seed, number, "bracket") % sum(shares)
        index = next(index for index, total in enumerate(itertools.accumulate(shares)) if drawn < total)
        return self._brackets[index]
