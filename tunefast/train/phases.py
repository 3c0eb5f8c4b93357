"""The phases of a training step, told apart by whoever wants to know where its time goes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable

import torch


class Phases:
    """Is told when a phase of a step has ended, and does nothing with it."""

    def mark(self, phase: str) -> None:
        """`phase` has just ended."""


class Stopwatch(Phases):
    """Adds up the seconds of each phase; waits for the device at each end, which makes steps a little slower."""

    def __init__(self, device: torch.device, clock: Callable[[], float] = time.perf_counter) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._device = device
        self._clock = clock
        self._last = clock()

    def start(self) -> None:
        """Begin anew."""
        self.seconds.clear()
        self.mark("")
        self.seconds.clear()

    def mark(self, phase: str) -> None:
        """`phase` has just ended."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now = self._clock()
        self.seconds[phase] += now - self._last
        self._last = now
