"""Pause and promote: successive halving whose trials wait at a rung until they are among the best there."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import NamedTuple

from tunefast.search.pruning.forecast import ForecastRule
from tunefast.search.pruning.halving import HalvingRule
from tunefast.search.pruning.rule import Curve, Decision, Standing, standing_at


class Place(NamedTuple):
    """Where a paused trial stands."""

    epoch: int
    rank: int
    """Among the trials that reached its rung, from 1 on."""
    num_trials: int


class PromotingRule(HalvingRule):
    """Asynchronous successive halving that lets a trial go on as soon as it is in the best ``1 / reduction`` at a rung.

    What it stops is to be paused, and may be promoted later. A trial that was let go on from a rung stays so, whoever
    comes after it. Of equals the earlier number is the better one. Source: Li et al., "A system for massively parallel
    hyperparameter tuning", MLSys 2020, algorithm 2.

    With a `forecast` nobody goes on that will not become the best by it. With a `trend` trials are ordered by what they
    would have at their end, were that much of their gain in the last doubling of epochs gained in every one. When no
    more trials begin, the best ``1 / chances`` at each rung go on, rounded up.
    """

    def __init__(
        self,
        min_epochs: int,
        reduction: int,
        *,
        maximize: bool,
        shares: bool = False,
        forecast: ForecastRule | None = None,
        trend: float = 0.0,
        chances: float | None = None,
    ) -> None:
        super().__init__(min_epochs, reduction, maximize=maximize, shares=shares)
        self._forecast = forecast
        self._trend = trend
        self._chances = chances
        self._standings: dict[int, Standing] = {}
        """Of the trials that wait."""
        self._promoted: set[tuple[int, int]] = set()
        """Rung and number of the trials that were let go on."""
        self._paused: dict[int, int] = {}
        """The rung of each trial that waits."""
        self._num_whole = 0
        """Trials that trained to their end."""

    def learn(self, curve: Curve) -> None:
        """Take in where a trial stood at each rung; one that runs was let go on there, but for where it is paused."""
        super().learn(curve)
        if self._forecast is not None:
            self._forecast.learn(curve)
        self._paused.pop(curve.number, None)
        self._standings.pop(curve.number, None)
        self._num_whole += curve.complete
        reached = [rung for rung in self._rungs if (rung, curve.number) in self._at] if curve.running else []
        if curve.paused and reached:
            self._paused[curve.number] = max(reached)
            self._standings[curve.number] = standing_at(curve, self._at[max(reached), curve.number][1], self._sign)
        self._promoted.update((rung, curve.number) for rung in reached if self._paused.get(curve.number) != rung)

    def judge(self, standing: Standing) -> Decision:
        """Hold a trial at a rung where it is not among the best; between rungs none, nor one that is done."""
        rung = self._rung(standing.epoch, standing.planned, standing.number)
        if rung is None:
            return Decision(prune=False)
        ordered = self._stands(rung, standing.number, self._cost(standing), standing.epoch)
        num_best = self._num_best(rung)
        threshold = self._sign * ordered[num_best - 1][0] if num_best else None
        is_best = self._is_best(rung, standing.number) and self._affords(standing) and not self._falls_short(standing)
        if standing.is_done or (rung, standing.number) in self._promoted or is_best:
            self._promoted.add((rung, standing.number))
            return Decision(prune=False, threshold=threshold, num_curves=len(ordered))
        self._paused[standing.number], self._standings[standing.number] = rung, standing
        return Decision(prune=True, threshold=threshold, num_curves=len(ordered))

    def promotable(self, *, last: bool = False) -> int | None:
        """The paused trial that may go on: of the highest rung where there is one, the best.

        `last` is whether no more trials begin, so that nobody who waits can get a better place.
        """
        for rung in sorted(set(self._paused.values()), reverse=True):
            for cost, number in self._rungs[rung][: self._num_best(rung, last=last)]:
                waits = self._paused.get(number) == rung and math.isfinite(cost)
                if waits and not self._falls_short(self._standings[number]):
                    return number
        return None

    def _falls_short(self, standing: Standing) -> bool:
        return self._forecast is not None and self._forecast.judge(standing).prune

    def _affords(self, standing: Standing) -> bool:  # noqa: ARG002  who counts epochs overrides it
        """Whether there are epochs for a trial to go on."""
        return True

    def _num_best(self, rung: int, *, last: bool = False) -> int:
        """How many trials of a rung go on."""
        num = len(self._rungs[rung])
        return math.ceil(num / self._chances) if last and self._chances is not None else num // self._reduction

    def _cost(self, standing: Standing) -> float:
        cost = super()._cost(standing)
        if not self._trend or standing.planned is None or math.isnan(standing.halfway) or standing.is_done:
            return cost
        gain = self._sign * (standing.halfway - standing.best)
        return cost - self._trend * gain * math.log2(standing.planned / standing.epoch)

    def leader(self) -> int | None:
        """The best paused trial of the highest rung, unless some trial trained to its end."""
        return next(iter(PromotingRule.waiting(self)), None) if not self._num_whole else None

    def waiting(self) -> list[int]:
        """Who waits, those first that are nearest to going on: of the highest rung, and the best there."""
        return sorted(self._paused, key=lambda number: (-self._paused[number], self._rank(number)))

    def promote(self, number: int) -> None:
        """Let a paused trial go on."""
        self._promoted.add((self._paused.pop(number), number))
        self._standings.pop(number, None)

    def place(self, number: int) -> Place:
        """Where a paused trial stands."""
        rung = self._paused[number]
        return Place(self._at[rung, number][1], self._rank(number) + 1, len(self._rungs[rung]))

    def _rank(self, number: int) -> int:
        rung = self._paused[number]
        return bisect_left(self._rungs[rung], (self._at[rung, number][0], number))

    def _is_best(self, rung: int, number: int) -> bool:
        ordered = self._rungs[rung]
        cost = self._at[rung, number][0]
        return math.isfinite(cost) and bisect_left(ordered, (cost, number)) < self._num_best(rung)
