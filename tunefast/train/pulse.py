"""A pulse: how far this process has got, so that whoever watches it can tell slow from stuck."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class HaltedError(Exception):
    """A training is to end between two epochs; says why."""


class Pulse:
    """Counts steps, of whatever kind."""

    def __init__(self) -> None:
        self.count = 0
        self._listen: Callable[[], None] | None = None

    def beat(self) -> None:
        """One more step is done. Raises what `listening` was given to raise."""
        self.count += 1
        if self._listen is not None:
            self._listen()

    @contextmanager
    def listening(self, listen: Callable[[], None]) -> Iterator[None]:
        """Call `listen` at each beat until the block is left; it may raise `HaltedError`."""
        self._listen = listen
        try:
            yield
        finally:
            self._listen = None


PULSE = Pulse()
"""That of this process, which trains one trial at a time."""
