"""Whom the coordinator talks to: hosts, workers, and whoever is at the other end of a connection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tunefast.run.cpu_time import CpuUse
from tunefast.run.leases import Lease
from tunefast.run.slots import CPU, Lent
from tunefast.spec.progress import Record

Send = Callable[[Record], None]

LEFT = "its worker was stopped"
"""Why a trial waits whose worker, or its host, went away as people wanted."""


@dataclass(eq=False)
class Host:
    """A process that lends slots to one study."""

    send: Send
    pid: int
    study: str
    """Empty while it decides what to go on with."""
    lent: Lent
    names: list[str]
    stays: bool = False
    """Whether its workers wait when its study has ended."""
    leaving: bool = False


@dataclass(eq=False)
class Worker:
    """A process that trains on one slot."""

    send: Send
    host: Host
    name: str
    device: str
    pid: int
    provenance: dict[str, Any]
    lease: Lease | None = None
    unlent: bool = False
    """Whether its host has taken its slot back."""
    dismissed: bool = False
    """Whether it was sent away, or was ended."""
    use: float | None = None
    """The share of its device that it uses: of its trial's cores, or what a GPU says of itself."""
    _cpu: CpuUse = field(init=False)

    def __post_init__(self) -> None:
        self._cpu = CpuUse(self.pid)

    def look(self, now: float) -> None:
        """See how busy it is, at a time of the monotonic clock; a GPU is told of by the worker itself."""
        if self.lease is None:
            self.use = None
        elif self.device == CPU:
            self._cpu.look(now, self.lease.threads)
            self.use = self._cpu.share

    @property
    def leaving(self) -> bool:
        """Whether it has no time for another trial, nor for another epoch of this one."""
        return self.unlent or self.host.leaving


@dataclass(eq=False)
class Watcher:
    """A process that looks at one study."""

    send: Send
    study: str


@dataclass(eq=False)
class Peer:
    """Whoever is at the other end of a connection."""

    send: Send
    role: Host | Worker | Watcher | None = None
