"""Successive halving: at each rung the best fraction of the trials goes on, whoever got there when."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left, insort
from collections import defaultdict

from tunefast.recipe.seed import derive_seed
from tunefast.search.pruning.rule import Curve, Decision, Standing, standing_at

BRACKETS = 3
"""Of Hyperband, where nobody knows how long trials are."""


class HalvingRule:
    """Asynchronous successive halving over rungs at ``min_epochs * reduction ** k``.

    With `shares` the rungs stand at ``reduction ** -k`` of a trial's own epochs, where that is `min_epochs` or later.
    Rungs are numbered: by k, and with `shares` by -k.
    """

    def __init__(
        self, min_epochs: int, reduction: int, *, maximize: bool, shares: bool = False, lowest: float = -math.inf
    ) -> None:
        self._min_epochs = min_epochs
        self._reduction = reduction
        self._shares = shares
        self._lowest = lowest
        """The number of the first rung, if there are lower ones that are left out."""
        self._sign = -1.0 if maximize else 1.0
        self._rungs: dict[int, list[tuple[float, int]]] = defaultdict(list)
        """Best values of the trials that reached a rung, as costs, with the trials' numbers, sorted."""
        self._at: dict[tuple[int, int], tuple[float, int]] = {}
        """The same by rung and trial, and the epoch at which the trial had got there."""

    def _rung(self, epoch: int, planned: int | None, number: int) -> int | None:
        """The rung that a trial gets to with an epoch; None where it has passed that before, or there is none yet."""
        if epoch < self._min_epochs:
            return None
        first, rung = self._lowest, self._rungs_between(self._min_epochs, epoch)
        if self._shares and planned is not None:
            first = max(first, -self._rungs_between(self._min_epochs, planned))
            rung = self._rungs_between(planned, epoch)
        passed = self._at.get((rung, number))
        return None if rung < first or (passed is not None and passed[1] < epoch) else rung

    def _rungs_between(self, first: int, last: int) -> int:
        return math.floor(math.log(last / first, self._reduction) + 1e-9)

    def learn(self, curve: Curve) -> None:
        """Take in where a trial stood at each rung that it reached."""
        for epoch in sorted(curve.values):
            rung = self._rung(epoch, curve.planned, curve.number)
            if rung is not None:
                self._stands(rung, curve.number, self._cost(standing_at(curve, epoch, self._sign)), epoch)

    def judge(self, standing: Standing) -> Decision:
        """Stop a trial that is not among the best at a rung; between rungs none, nor one that is done."""
        rung = self._rung(standing.epoch, standing.planned, standing.number)
        if rung is None:
            return Decision(prune=False)
        cost = self._cost(standing)
        ordered = self._stands(rung, standing.number, cost, standing.epoch)
        threshold, _ = ordered[max(1, len(ordered) // self._reduction) - 1]
        worse = cost > threshold or math.isinf(cost)
        return Decision(worse and not standing.is_done, self._sign * threshold, len(ordered))

    def _cost(self, standing: Standing) -> float:
        """What trials are ordered by at a rung, the least first."""
        return math.inf if math.isnan(standing.best) else self._sign * standing.best

    def _stands(self, rung: int, number: int, cost: float, epoch: int) -> list[tuple[float, int]]:
        """Note where a trial stands, in place of what was noted of it before; returns all at that rung."""
        ordered = self._rungs[rung]
        if (rung, number) in self._at:
            del ordered[bisect_left(ordered, (self._at[rung, number][0], number))]
        self._at[rung, number] = cost, epoch
        insort(ordered, (cost, number))
        return ordered


class HyperbandRule:
    """Successive halving in brackets, each of which begins `reduction` times later than the one before."""

    def __init__(self, min_epochs: int, reduction: int, *, maximize: bool, seed: int, shares: bool = False) -> None:
        self._settings = min_epochs, reduction
        self._shares = shares
        self._maximize = maximize
        self._seed = seed
        self._brackets: dict[int, HalvingRule] = {}
        """By the number of their first rung."""

    def learn(self, curve: Curve) -> None:
        """Take in where a trial stood at the rungs of its bracket."""
        self._bracket(curve.number, curve.planned).learn(curve)

    def judge(self, standing: Standing) -> Decision:
        """Stop a trial that is not among the best at a rung of its bracket."""
        return self._bracket(standing.number, standing.planned).judge(standing)

    def _bracket(self, number: int, planned: int | None) -> HalvingRule:
        """The bracket of a trial: each has about as many epochs to spend as any other."""
        min_epochs, reduction = self._settings
        rungs = math.log(max(1.0, planned / min_epochs), reduction) if planned is not None else BRACKETS - 1
        count = 1 + math.floor(rungs + 1e-9)
        shares = [math.ceil(count * reduction**left / (left + 1)) for left in reversed(range(count))]
        drawn = derive_seed(self._seed, number, "bracket") % sum(shares)
        index = next(index for index, total in enumerate(itertools.accumulate(shares)) if drawn < total)
        lowest = index if not self._shares else index + 1 - count
        if lowest not in self._brackets:
            self._brackets[lowest] = HalvingRule(
                min_epochs, reduction, maximize=self._maximize, shares=self._shares, lowest=lowest
            )
        return self._brackets[lowest]
