"""The kernel's out-of-memory killer: it leaves no word with the process that it ends, only a count."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_CGROUP = Path("/proc/self/cgroup")
_CGROUPS = Path("/sys/fs/cgroup")
_VMSTAT = Path("/proc/vmstat")


def num_oom_kills(cgroup: Path = _CGROUP, cgroups: Path = _CGROUPS, vmstat: Path = _VMSTAT) -> int:
    """Processes that the kernel has killed for lack of memory, in this process's group where that is counted.

    0 where nobody counts.
    """
    places = [*_events(cgroup, cgroups), vmstat]
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
