"""Counted curves: those that a trial is compared with, their values at every place kept sorted."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol

from tunefast.search.pruning.axis import Axis


class CountedCurves(Protocol):
    """What a rule asks of the curves that count. A curve is its numbers by place, in order."""

    def at(self, place: int) -> Sequence[float]:
        """What counts at a place, sorted."""
        ...

    def num_running(self, place: int) -> int:
        """Trials that run and count at a place."""
        ...

    def add(self, number: int, curve: Mapping[int, float], *, running: bool) -> None:
        """Let a trial's curve count, or what is new of one that runs."""
        ...

    def withdraw(self, number: int, since: int | None = None) -> None:
        """Take back the curve of a trial that ran, or what stands there from a place on."""
        ...


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
        for place, value in curve.items():
            insort(self._values[place], value)
        if running:
            self._running.setdefault(number, {}).update(curve)

    def withdraw(self, number: int, since: int | None = None) -> None:
        """Take back the curve of a trial that ran, or what stands there from a place on."""
        counted = self._running.get(number, {})
        for place in [place for place in counted if since is None or place >= since]:
            values = self._values[place]
            del values[bisect_left(values, counted.pop(place))]
        if since is None:
            self._running.pop(number, None)


class _Drawn:
    """A curve drawn through its points, straight from each to the next, and on from the last one if it is complete."""

    def __init__(self, curve: Mapping[int, float], axis: Axis, *, carried: bool) -> None:
        self._axis = axis
        self._carried = carried
        self._places, self._values = array("q"), array("d")
        self.extend(curve)

    def extend(self, curve: Mapping[int, float]) -> None:
        self._places.extend(curve.keys())
        self._values.extend(curve.values())

    def cut(self, since: int) -> None:
        """Forget the points from a place on."""
        kept = bisect_left(self._places, since)
        del self._places[kept:], self._values[kept:]

    @property
    def end(self) -> int:
        return self._places[-1] if self._places else -1

    def at(self, place: int) -> float | None:
        """Its value at a place; None before its first point, and beyond its last one where it is not carried on."""
        after = bisect_right(self._places, place)
        if after == 0:
            return None
        before = after - 1
        if self._places[before] == place:
            return self._values[before]
        if after == len(self._places):
            return self._values[before] if self._carried else None
        first, here, second = (self._axis.position(at) for at in (self._places[before], place, self._places[after]))
        share = (here - first) / (second - first)
        return self._values[before] + share * (self._values[after] - self._values[before])


class CarriedCurves:
    """Curves that count at every place from their first point on: between two points what lies between their values.

    The values at a place are sorted when it is first asked for, which costs a look into every curve; from then on each
    curve puts its own in. So a report costs one look-up, and an ended trial an insertion per place that was asked for.
    """

    def __init__(self, axis: Axis) -> None:
        self._axis = axis
        self._complete: list[_Drawn] = []
        self._running: dict[int, _Drawn] = {}
        self._asked: dict[int, array[float]] = {}

    def at(self, place: int) -> Sequence[float]:
        """What counts at a place, sorted."""
        if place not in self._asked:
            found = (drawn.at(place) for drawn in (*self._complete, *self._running.values()))
            self._asked[place] = array("d", sorted(value for value in found if value is not None))
        return self._asked[place]

    def num_running(self, place: int) -> int:
        """Trials that run and count at a place."""
        return sum(drawn.at(place) is not None for drawn in self._running.values())

    def add(self, number: int, curve: Mapping[int, float], *, running: bool) -> None:
        """Let a trial's curve count, or what is new of one that runs."""
        drawn = self._running.get(number) or _Drawn({}, self._axis, carried=not running)
        end = drawn.end
        drawn.extend(curve)
        for place, values in self._asked.items():
            value = drawn.at(place) if place > end else None
            if value is not None:
                insort(values, value)
        if running:
            self._running[number] = drawn
        else:
            self._complete.append(drawn)

    def withdraw(self, number: int, since: int | None = None) -> None:
        """Take back the curve of a trial that ran, or what stands there from a place on."""
        drawn = self._running.get(number)
        if drawn is None or (since is not None and drawn.end < since):
            return
        before = {place: drawn.at(place) for place in self._asked}
        drawn.cut(-1 if since is None else since)
        for place, value in before.items():
            if value is not None and drawn.at(place) is None:
                values = self._asked[place]
                del values[bisect_left(values, value)]
        if since is None:
            del self._running[number]
