"""Tally: what has come of the trials of a study."""

from __future__ import annotations

import bisect
from collections import Counter
from typing import NamedTuple


class Ended(NamedTuple):
    """How a trial ended."""

    state: str
    value: float | None
    """That of a complete trial."""
    epochs_run: int
    epochs_planned: int
    imported: bool = False
    """Whether it was brought from another study, so that it costs this one nothing."""


class Tally:
    """Figures over the trials that ended, each counted once, as it was noted last."""

    def __init__(self, *, maximize: bool) -> None:
        self._sign = -1 if maximize else 1
        self._ended: dict[int, Ended] = {}
        self._retried: set[int] = set()
        self._num_own = 0
        """Of those that ended: not brought from another study."""
        self._epochs_run = 0
        self._epochs_saved = 0
        self._states: Counter[str] = Counter()
        self._ranked: list[tuple[float, int]] = []
        """The complete trials, best first: value, where less is better, and number."""

    def __len__(self) -> int:
        return len(self._ended)

    @property
    def num_trained(self) -> int:
        """Trials that count for the budget: not those brought from elsewhere, nor those that are tried again."""
        return self._num_own - sum(number in self._ended for number in self._retried)

    def retry(self, number: int) -> None:
        """Note that another trial tries this one again."""
        self._retried.add(number)

    def __contains__(self, number: int) -> bool:
        return number in self._ended

    def note(self, number: int, ended: Ended) -> None:
        """Note how trial `number` ended, whatever was noted of it before."""
        before = self._ended.pop(number, None)
        self._ended[number] = ended
        for each, sign in ((before, -1), (ended, 1)):
            if each is not None:
                self._states["imported" if each.imported else each.state] += sign
                self._epochs_saved += sign * max(each.epochs_planned - each.epochs_run, 0)
            if each is not None and not each.imported:
                self._num_own += sign
                self._epochs_run += sign * each.epochs_run
        if before is not None and before.value is not None:
            self._ranked.remove((self._sign * before.value, number))
        if ended.value is not None:
            bisect.insort(self._ranked, (self._sign * ended.value, number))

    @property
    def counts(self) -> Counter[str]:
        """Trials by state; failed ones that are tried again are "retried", those from another study "imported"."""
        again = Counter(self._ended[number].state for number in self._retried if number in self._ended)
        return self._states - again + Counter(retried=again.total())

    @property
    def best(self) -> tuple[int, float] | None:
        """Number and value of the best complete trial, the earliest of equals; None where none is complete."""
        if not self._ranked:
            return None
        value, number = self._ranked[0]
        return number, self._sign * value

    def ranking(self, num: int) -> list[int]:
        """The best `num` complete trials, best first, the earlier of equals."""
        return [number for _, number in self._ranked[:num]]

    @property
    def epochs_run(self) -> int:
        """Epochs that they ran."""
        return self._epochs_run

    @property
    def epochs_saved(self) -> int:
        """Epochs that they would have run, had nothing stopped them."""
        return self._epochs_saved
