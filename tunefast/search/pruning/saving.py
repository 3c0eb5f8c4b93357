"""Pause and promote within a budget of epochs: no more go on than leave a share of the epochs saved."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

from tunefast.search.pruning.forecast import ForecastRule
from tunefast.search.pruning.promoting import PromotingRule
from tunefast.search.pruning.rule import Curve, Decision, Standing


class Purse:
    """Epochs that all trials have in common: each brings a share of those that it is planned for.

    None brings less than twice `first_epochs`, as far as it is that long: else short trainings, which have spent their
    share when they are first judged, would all end there. One that ended by itself or broke off brings its share of
    what it trained for. One whose length nobody knows brings what it spends.
    """

    def __init__(self, share: float, first_epochs: int) -> None:
        self._share = share
        self._first_epochs = first_epochs
        self._trials: dict[int, tuple[int, float]] = {}
        """Epochs that each trial spent, and that it brought."""
        self._left = 0.0

    def note(self, number: int, epoch: int, planned: int | None, *, ended: bool = False) -> None:
        """A trial has got to an epoch, or `ended` there though it was not complete."""
        if ended:
            brought = self._share * epoch
        elif planned is None:
            brought = float(epoch)
        else:
            brought = max(self._share * planned, float(min(planned, 2 * self._first_epochs)))
        spent_before, brought_before = self._trials.get(number, (0, 0.0))
        self._trials[number] = epoch, brought
        self._left += brought - epoch - (brought_before - spent_before)

    def holds(self, num_new: int) -> float:
        """Epochs left in it when `num_new` more trials have brought what those until now brought."""
        brought = sum(brought for _, brought in self._trials.values()) / max(1, len(self._trials))
        return self._left + num_new * brought

    def affords(self, epoch: int, planned: int | None) -> bool:
        """Whether a trial may train for as many epochs again, or to its end."""
        return planned is None or min(epoch, planned - epoch) <= self._left


class SavingRule(PromotingRule):
    """Lets trials go on from rung to rung as long as their epochs are within a common purse.

    Of those that may go on it is the one first that the smallest share of the trials at its rung is ahead of. Where the
    purse does not reach for that one, nobody goes on until more trials have begun.
    """

    def __init__(
        self, min_epochs: int, reduction: int, share: float, *, maximize: bool, forecast: ForecastRule, chances: float
    ) -> None:
        super().__init__(min_epochs, reduction, maximize=maximize, forecast=forecast, chances=chances)
        self._purse = Purse(share, min_epochs)

    def learn(self, curve: Curve) -> None:
        """Take in where a trial stood at each rung, and what it spent, unless another study paid for it."""
        super().learn(curve)
        if curve.imported:
            return
        ended = not curve.complete and not curve.running
        self._purse.note(curve.number, max(curve.values, default=0), curve.planned, ended=ended)

    def judge(self, standing: Standing) -> Decision:
        """Hold a trial at a rung where it is not among the best, or the purse does not reach."""
        self._purse.note(standing.number, standing.epoch, standing.planned)
        return super().judge(standing)

    def promotable(self, *, last: bool = False) -> int | None:
        """The paused trial that may go on; `last` is whether no more trials begin."""
        chosen = super().promotable(last=last)
        return chosen if chosen is not None and self._affords(self._waiting[chosen].standing) else None

    def _among_best(self, *, last: bool) -> Iterator[int]:
        """Who waits and is among the best at its rung; those first that the smallest share of it is ahead of."""
        by_rung = (self._by_share(rung, self._best_at(rung, last=last)) for rung in self._waiting.rungs)
        return (number for *_, number in heapq.merge(*by_rung))

    def _by_share(self, rung: int, ranked: Iterable[tuple[int, int]]) -> Iterator[tuple[float, int, int]]:
        return ((rank / len(self._rungs[rung]), -rung, number) for rank, number in ranked)

    def epochs_to_come(self, num_new: int, each: float) -> float:
        """Epochs still to be trained, roughly: no more than the purse will hold."""
        return min(super().epochs_to_come(num_new, each), max(0.0, self._purse.holds(num_new)))

    def _affords(self, standing: Standing) -> bool:
        return self._purse.affords(standing.epoch, standing.planned)

    def waiting(self) -> list[int]:
        """Who waits, those first that are nearest to going on."""

        def nearness(number: int) -> tuple[float, int]:
            rung = self._waiting[number].rung
            return self._rank(number) / len(self._rungs[rung]), -rung

        return sorted(self._waiting, key=nearness)
