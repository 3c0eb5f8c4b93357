"""Counted curves: those that a trial is compared with, their values at every place kept sorted."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence


class ExactCurves:
    """Curves that count at the places where they have a value, and nowhere else."""

    def __init__(self) -> None:
        self._values: dict[int, list[float]] = defaultdict(list)
        self._running: dict[int, dict[int, float]] = {}
        """By trial that runs, what of its curve counts: it may be taken back."""

    def at(self, place: int) -> Sequence[float]:
        """What counts at a place, sorted."""
        return self._values.get(place, ())

    def num_running(self, place: int) -> int:
        """Trials that run and count at a place."""
        return sum(place in values for values in self._running.values())

    def add(self, number: int, curve: Mapping[int, float], *, running: bool) -> None:
        """Let a trial's curve count, or what is new of one that runs."""
        numbers = {place: value for place, value in curve.items() if not math.isnan(value)}
        for place, value in numbers.items():
            insort(self._values[place], value)
        if running:
            self._running.setdefault(number, {}).update(numbers)

    def withdraw(self, number: int, since: int | None = None) -> None:
        """Take back the curve of a trial that ran, or what stands there from a place on."""
        counted = self._running.get(number, {})
        for place in [place for place in counted if since is None or place >= since]:
            values = self._values[place]
            del values[bisect_left(values, counted.pop(place))]
        if since is None:
            self._running.pop(number, None)
