"""A pulse: how far this process has got, so that whoever watches it can tell slow from stuck."""

from __future__ import annotations


class Pulse:
    """Counts steps, of whatever kind."""

    def __init__(self) -> None:
        self.count = 0

    def beat(self) -> None:
        """One more step is done."""
        self.count += 1


PULSE = Pulse()
"""That of this process, which trains one trial at a time."""
