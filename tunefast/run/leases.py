"""Leases: which worker may speak for which trial."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Lease:
    """A worker's right to a trial."""

    study: str
    trial: int
    token: int
    threads: int
    device: str


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

    def valid(self, study: str, trial: int, token: int) -> bool:
        """Whether `token` is that of the trial's present lease."""
        lease = self._held.get((study, trial))
        return lease is not None and lease.token == token

    def revoke(self, study: str, trial: int) -> None:
        """Nobody may speak for the trial any more."""
        self._held.pop((study, trial), None)

    def trials(self, study: str) -> set[int]:
        """The trials of a study that are held."""
        return {trial for name, trial in self._held if name == study}
