"""Who waits at the rungs, each rung's trials in their order."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tunefast.search.pruning.rule import Standing


class Waiter(NamedTuple):
    """A trial that waits at a rung."""

    rung: int
    cost: float
    """What trials are ordered by there, the least first."""
    standing: Standing


class Waiting:
    """Trials that wait at rungs, looked through from the best of each rung on, but for those that are set aside."""

    def __init__(self) -> None:
        self._trials: dict[int, Waiter] = {}
        self._rungs: dict[int, list[tuple[float, int]]] = defaultdict(list)
        """By rung, costs and numbers of those to look through, sorted."""
        self._aside: set[int] = set()

    def __iter__(self) -> Iterator[int]:
        """The numbers of all that wait."""
        return iter(self._trials)

    def __getitem__(self, number: int) -> Waiter:
        return self._trials[number]

    def add(self, waiter: Waiter) -> None:
        """Let a trial wait, here and nowhere else."""
        number = waiter.standing.number
        self.discard(number)
        self._trials[number] = waiter
        self._line_up(number)

    def discard(self, number: int) -> None:
        """Let a trial wait no longer, if it does."""
        if number in self._trials:
            self.set_aside(number)
            self._aside.remove(number)
            del self._trials[number]

    def set_aside(self, number: int) -> None:
        """Let a trial wait without being looked at, until `look_again`."""
        if number not in self._aside:
            ordered = self._rungs[self[number].rung]
            del ordered[bisect_left(ordered, (self[number].cost, number))]
            self._aside.add(number)

    def look_again(self) -> None:
        """Look again at those that were set aside."""
        for number in self._aside:
            self._line_up(number)
        self._aside.clear()

    def _line_up(self, number: int) -> None:
        insort(self._rungs[self[number].rung], (self[number].cost, number))

    @property
    def rungs(self) -> list[int]:
        """The rungs where somebody is to be looked at, the highest first."""
        return sorted((rung for rung, ordered in self._rungs.items() if ordered), reverse=True)

    def at(self, rung: int) -> Sequence[tuple[float, int]]:
        """Costs and numbers of those at a rung that are to be looked at, the best first."""
        return self._rungs[rung]
