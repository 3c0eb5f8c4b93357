"""Leases: which worker may speak for which trial, and for how long it has said nothing."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass


@dataclass(eq=False)
class Lease:
    """A worker's right to a trial."""

    study: str
    trial: int
    token: int
    threads: int
    device: str
    silent_seconds: float = 0.0
    """Since its worker said anything."""
    still_seconds: float = 0.0
    """Since its worker got any further."""
    pulse: int = -1
    """How far its worker was when it last said so."""
    halted: bool = False
    """Whether its worker was told to end the trial at once."""

    def hear(self, pulse: int | None = None) -> None:
        """Its worker said something: that it lives and is at `pulse`, or None for something that is progress itself."""
        self.silent_seconds = 0.0
        if pulse is None or pulse != self.pulse:
            self.still_seconds = 0.0
        self.pulse = self.pulse if pulse is None else pulse


class Leases:
    """All leases of one coordinator, in its memory.

    Tokens grow with every lease, also from one coordinator to the next, so whatever speaks with an older one is told
    apart from the worker that has the trial now.
    """

    def __init__(self) -> None:
        self._tokens = itertools.count(time.time_ns())
        self._held: dict[tuple[str, int], Lease] = {}

    def grant(self, study: str, trial: int, *, threads: int, device: str) -> Lease:
        """A new lease; one that was held on the trial is void from now on."""
        lease = Lease(study, trial, next(self._tokens), threads, device)
        self._held[study, trial] = lease
        return lease

    def held(self, study: str, trial: int, token: int) -> Lease | None:
        """The trial's present lease, where `token` is that one's."""
        lease = self._held.get((study, trial))
        return lease if lease is not None and lease.token == token else None

    def advance(self, seconds: float) -> list[Lease]:
        """Let time pass; returns all leases."""
        for lease in self._held.values():
            lease.silent_seconds += seconds
            lease.still_seconds += seconds
        return list(self._held.values())

    def revoke(self, study: str, trial: int) -> None:
        """Nobody may speak for the trial any more."""
        self._held.pop((study, trial), None)

    def trials(self, study: str) -> set[int]:
        """The trials of a study that are held."""
        return {trial for name, trial in self._held if name == study}
