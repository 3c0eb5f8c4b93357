"""The trials that were begun and wait for a worker to go on with them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Container

from tunefast.search.running import Running


class WaitingTrials(deque[Running]):
    """A queue; who was given back last goes on first."""

    def next(self) -> Running | None:
        """Take the first trial whose time has come: those that got nowhere wait for a while."""
        now = time.monotonic()
        running = next((running for running in self if running.not_before <= now), None)
        if running is not None:
            self.remove(running)
        return running

    def without(self, numbers: Container[int]) -> WaitingTrials:
        """The same but for some trials."""
        return WaitingTrials(running for running in self if running.number not in numbers)
