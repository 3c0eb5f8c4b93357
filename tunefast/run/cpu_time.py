"""CPU time of a process and of what it has started, as Linux counts it; elsewhere nobody says."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_TIMES = slice(11, 15)
"""In a process's stat, counted from after its name: its own time, then that of its children that have ended."""


def cpu_seconds(pid: int) -> float | None:
    """Seconds of CPU that a process and its descendants have used; None where it has ended, or there is no /proc."""
    own = _cpu_seconds(pid)
    if own is None:
        return None
    return own + sum(cpu_seconds(child) or 0.0 for child in _children(pid))


def waiting_seconds(pid: int) -> float | None:
    """Seconds for which threads of a process and its living descendants were to run and had no core.

    None where the process has ended, or the kernel does not say.
    """
    try:
        tasks = list((PROC / str(pid) / "task").iterdir())
        own = sum(int((task / "schedstat").read_text(encoding="ascii").split()[1]) for task in tasks) / 1e9
    except (OSError, IndexError):
        return None
    return own + sum(waiting_seconds(child) or 0.0 for child in _children(pid))


def _cpu_seconds(pid: int) -> float | None:
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    ticks = text.rpartition(")")[2].split()[_TIMES]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> Iterator[int]:
    """Processes that one of its threads has started, and that live."""
    with contextlib.suppress(OSError):
        for thread in (PROC / str(pid) / "task").iterdir():
            yield from map(int, (thread / "children").read_text(encoding="ascii").split())


@dataclass
class CpuUse:
    """How much of its cores a process used between the last two looks at it."""

    pid: int
    share: float | None = None
    """1 where it used all of its cores all the time; None before there were two looks."""
    _seconds: float | None = None
    _at: float = 0.0

    def look(self, now: float, cores: int) -> None:
        """Look at the time `now`, of a clock that only goes forward, for a process that was to use so many cores."""
        before, self._seconds = self._seconds, cpu_seconds(self.pid)
        passed, self._at = now - self._at, now
        self.share = None
        if before is not None and self._seconds is not None and passed > 0:
            self.share = max(0.0, self._seconds - before) / (passed * cores)
