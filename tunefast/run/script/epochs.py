"""From the numbers that a program says, in whatever pieces, to one report an epoch."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tunefast.spec.counting import SAID_EPOCH, SAID_STEP, EpochCount
from tunefast.spec.progress import EpochReport

SAID = {"epoch": SAID_EPOCH, "step": SAID_STEP}
"""How programs count, and where that stands among a report's details."""


def numbers_in(line: str) -> dict[str, float]:
    """The numbers of a JSON object that a line consists of; empty where it is anything else."""
    text = line.strip()
    if not text.startswith("{"):
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return numbers(found) if isinstance(found, dict) else {}


def numbers(table: Mapping[Any, Any]) -> dict[str, float]:
    """The entries that are numbers."""
    return {
        str(name): float(value)
        for name, value in table.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


class Epochs:
    """Gathers numbers until all of the study's metrics are among them.

    `earlier` are the attempts' before, and `clock` says the seconds at which numbers come.
    """

    def __init__(
        self,
        metrics: Sequence[str],
        earlier: Sequence[EpochReport] = (),
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.seen: set[str] = set()
        """The names of all numbers so far."""
        self._metrics = set(metrics)
        self._gathered: dict[str, float] = {}
        self._last: Mapping[str, float] = {}
        """The numbers of the last epoch."""
        self._count = EpochCount(earlier)
        self._clock = clock
        self._time = clock()

    def add(self, found: Mapping[str, float]) -> EpochReport | None:
        """Take in numbers; the report of an epoch where they are the last ones that were missing."""
        self.seen |= found.keys() - SAID.keys()
        self._gathered.update(found)
        if not self._metrics & found.keys() or not self._metrics <= self._gathered.keys():
            return None
        gathered, self._gathered = self._gathered, {}
        self._last = gathered
        now = self._clock()
        seconds, self._time = now - self._time, now
        return EpochReport(
            epoch=self._count.next(gathered.get("epoch"), gathered.get("step")),
            metrics={name: value for name, value in gathered.items() if name not in SAID},
            train_seconds=seconds,
            details={said: gathered[name] for name, said in SAID.items() if name in gathered},
        )

    def repeats(self, found: Mapping[str, float]) -> bool:
        """Whether these are the numbers of the last epoch, as of a program that says them twice."""
        said = self._metrics | (SAID.keys() & found.keys() & self._last.keys())
        return bool(self._last) and all(found.get(name) == self._last.get(name) for name in said)
