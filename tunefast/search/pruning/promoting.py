"""Pause and promote: successive halving whose trials wait at a rung until they are among the best there."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from tunefast.search.pruning.forecast import ForecastRule
from tunefast.search.pruning.halving import HalvingRule
from tunefast.search.pruning.rule import Curve, Decision, Standing, standing_at
from tunefast.search.pruning.waiting import Waiter, Waiting

MOST_LOOKED_AT = 30
"""Of those that wait at a rung, to tell how many of them go on."""


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
        self._waiting = Waiting()
        self._version = 0
        """Of the forecast by which trials were set aside."""
        self._promoted: set[tuple[int, int]] = set()
        """Rung and number of the trials that were let go on."""
        self._num_whole = 0
        """Trials of this study that trained to their end."""

    def learn(self, curve: Curve) -> None:
        """Take in where a trial stood at each rung; one that runs was let go on there, but for where it is paused."""
        super().learn(curve)
        if self._forecast is not None:
            self._forecast.learn(curve)
        self._waiting.discard(curve.number)
        self._num_whole += curve.complete and not curve.imported
        reached = {rung for rung in self._rungs if (rung, curve.number) in self._at} if curve.running else set()
        if curve.paused and reached:
            rung = max(reached)
            self._wait(rung, standing_at(curve, self._at[rung, curve.number][1], self._sign))
            reached.remove(rung)
        self._promoted.update((rung, curve.number) for rung in reached)

    def judge(self, standing: Standing) -> Decision:
        """Hold a trial at a rung where it is not among the best; between rungs none, nor one that is done."""
        rung = self._rung(standing.epoch, standing.planned, standing.number)
        if rung is None:
            return Decision(prune=False)
        ordered = self._stands(rung, standing.number, self._cost(standing), standing.epoch)
        num_best = self._num_best(rung)
        threshold = self._sign * ordered[num_best - 1][0] if num_best else None
        is_best = self._is_best(rung, standing.number) and self._affords(standing) and not self._is_hopeless(standing)
        if standing.is_done or (rung, standing.number) in self._promoted or is_best:
            self._promoted.add((rung, standing.number))
            return Decision(prune=False, threshold=threshold, num_curves=len(ordered))
        self._wait(rung, standing)
        return Decision(prune=True, threshold=threshold, num_curves=len(ordered))

    def _wait(self, rung: int, standing: Standing) -> None:
        cost, _ = self._at[rung, standing.number]
        self._waiting.add(Waiter(rung, cost, standing))

    def next(self, *, last: bool = False, alone: bool = False) -> int | None:
        """The paused trial that goes on now, if one does.

        `last` is whether no more trials begin, so that nobody who waits can get a better place, and `alone` whether no
        other one trains either: then the best goes on where none got to its end.
        """
        going = self.promotable(last=last)
        return self.leader() if going is None and last and alone else going

    def promotable(self, *, last: bool = False) -> int | None:
        """The paused trial that is among the best and may become the best; `last` is whether no more trials begin."""
        if self._forecast is not None and self._forecast.version != self._version:
            self._version = self._forecast.version
            self._waiting.look_again()
        for number in list(itertools.takewhile(self._falls_short, self._among_best(last=last))):
            self._waiting.set_aside(number)
        return next(self._among_best(last=last), None)

    def _among_best(self, *, last: bool) -> Iterator[int]:
        """Who waits and is among the best at its rung, in the order in which they go on: of higher rungs first."""
        for rung in self._waiting.rungs:
            for _, number in self._best_at(rung, last=last):
                yield number

    def _best_at(self, rung: int, *, last: bool) -> Iterator[tuple[int, int]]:
        """Ranks, from 0 on, and numbers of those that wait at a rung and are among the best there."""
        num_best = self._num_best(rung, last=last)
        for cost, number in self._waiting.at(rung):
            rank = self._rank(number)
            if rank >= num_best or not math.isfinite(cost):
                return
            yield rank, number

    def _falls_short(self, number: int) -> bool:
        return self._is_hopeless(self._waiting[number].standing)

    def _is_hopeless(self, standing: Standing) -> bool:
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
        """The best paused trial of the highest rung, unless some trial of this study trained to its end."""
        return next(iter(PromotingRule.waiting(self)), None) if not self._num_whole else None

    def epochs_to_come(self, num_new: int, each: float) -> float:
        """Epochs still to be trained, roughly: of `num_new` trials that train for `each`, and of those that wait.

        Who is among the best of a rung when no more trials begin, and may become the best, goes on to the next one, and
        of these one in `reduction` beyond it.
        """
        return num_new * each + sum(self._epochs_from(rung) for rung in self._waiting.rungs)

    def _epochs_from(self, rung: int) -> float:
        waiting, num_best = self._waiting.at(rung), self._num_best(rung, last=True)
        if not num_best:
            return 0.0
        among_best = waiting[: bisect_right(waiting, self._rungs[rung][num_best - 1])]
        looked_at = among_best[:: math.ceil(len(among_best) / MOST_LOOKED_AT)] if among_best else []
        going = [self._waiting[number].standing for _, number in looked_at if not self._falls_short(number)]
        return sum(map(self._epochs_of, going)) * len(among_best) / max(1, len(looked_at))

    def _epochs_of(self, standing: Standing) -> float:
        epoch, planned, epochs, share = standing.epoch, standing.planned or standing.epoch, 0.0, 1.0
        while epoch < planned:
            ahead = min(planned, epoch * self._reduction)
            epochs += share * (ahead - epoch)
            epoch, share = ahead, share / self._reduction
        return epochs

    def waiting(self) -> list[int]:
        """Who waits, those first that are nearest to going on: of the highest rung, and the best there."""
        return sorted(self._waiting, key=lambda number: (-self._waiting[number].rung, self._rank(number)))

    def promote(self, number: int) -> None:
        """Let a paused trial go on."""
        self._promoted.add((self._waiting[number].rung, number))
        self._waiting.discard(number)

    def place(self, number: int) -> Place:
        """Where a paused trial stands."""
        rung = self._waiting[number].rung
        return Place(self._at[rung, number][1], self._rank(number) + 1, len(self._rungs[rung]))

    def _rank(self, number: int) -> int:
        waiter = self._waiting[number]
        return bisect_left(self._rungs[waiter.rung], (waiter.cost, number))

    def _is_best(self, rung: int, number: int) -> bool:
        ordered = self._rungs[rung]
        cost = self._at[rung, number][0]
        return math.isfinite(cost) and bisect_left(ordered, (cost, number)) < self._num_best(rung)
