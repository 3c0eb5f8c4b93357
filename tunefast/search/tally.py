"""Tally: what has come of the trials of a study."""

from __future__ import annotations

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
        self._best: tuple[int, float] | None = None

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
            if each is not None and not each.imported:
                self._num_own += sign
                self._epochs_run += sign * each.epochs_run
        if before is not None and before.value is not None:
            self._best = min(self._complete(), key=self._rank, default=None)
        elif ended.value is not None:
            candidates = [(number, ended.value), *([self._best] if self._best is not None else [])]
            self._best = min(candidates, key=self._rank)

    @property
    def counts(self) -> Counter[str]:
        """Trials by state; failed ones that are tried again are "retried"."""
        states = (("retried" if number in self._retried else ended.state) for number, ended in self._ended.items())
        return Counter(states)

    @property
    def best(self) -> tuple[int, float] | None:
        """Number and value of the best complete trial, the earliest of equals; None where none is complete."""
        return self._best

    @property
    def ranking(self) -> list[int]:
        """The complete trials, best first, the earlier of equals."""
        return [number for number, _ in sorted(self._complete(), key=self._rank)]

    def _complete(self) -> list[tuple[int, float]]:
        values = ((number, ended.value) for number, ended in self._ended.items())
        return [(number, value) for number, value in values if value is not None]

    def _rank(self, trial: tuple[int, float]) -> tuple[float, int]:
        return self._sign * trial[1], trial[0]

    @property
    def epochs_run(self) -> int:
        """Epochs that they ran."""
        return self._epochs_run

    @property
    def epochs_saved(self) -> int:
        """Epochs that they would have run, had nothing stopped them."""
        return sum(max(ended.epochs_planned - ended.epochs_run, 0) for ended in self._ended.values())
