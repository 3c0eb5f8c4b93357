"""The kernel's out-of-memory killer: it leaves no word with the process that it ends, only a count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

LONG_SECONDS = 5.0
"""From the kernel's kill until its process is gone, at most."""
_CGROUP = Path("/proc/self/cgroup")
_CGROUPS = Path("/sys/fs/cgroup")
_VMSTAT = Path("/proc/vmstat")


def num_oom_kills(cgroup: Path = _CGROUP, cgroups: Path = _CGROUPS, vmstat: Path = _VMSTAT) -> int:
    """Processes that the kernel has killed for lack of memory, on the whole machine where that is counted.

    Else in this process's group; workers may be in others. 0 where nobody counts.
    """
    places = [vmstat, *_events(cgroup, cgroups)]
    for place in places:
        count = _count(place)
        if count is not None:
            return count
    return 0


def _events(cgroup: Path, cgroups: Path) -> Sequence[Path]:
    """Where cgroup v2 counts what happens to this process's group, and in a container to all of it."""
    try:
        lines = cgroup.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    own = [line.partition("::")[2].lstrip("/") for line in lines if line.startswith("0::")]
    return [cgroups / group / "memory.events" for group in (*own, "")]


def _count(place: Path) -> int | None:
    try:
        rows = dict(line.split() for line in place.read_text(encoding="utf-8").splitlines())
        return int(rows["oom_kill"])
    except (OSError, ValueError, KeyError):
        return None


class OomKills:
    """Tells whether a process that is gone was ended by that killer; each kill is held against one process."""

    def __init__(self, count: Callable[[], int] = num_oom_kills) -> None:
        self._count = count
        self._before = self._latest = count()
        self._noted = 0.0

    def note(self, now: float) -> None:
        """Look at the count from time to time, and forget kills that are too long ago."""
        if now - self._noted >= LONG_SECONDS:
            self._before, self._latest, self._noted = self._latest, self._count(), now

    def just_killed(self) -> bool:
        """Whether the kernel has just killed something that no other process is known to have been."""
        count = self._count()
        killed = count > self._before
        self._before = self._latest = count
        return killed
