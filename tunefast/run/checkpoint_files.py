"""Copying and measuring a trial's checkpoints, which it may be replacing meanwhile."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path


def copied_checkpoints(source: Path, target: Path) -> None:
    """Copy the directory `source` to `target`, without what is being written, and without what goes meanwhile."""
    shutil.copytree(source, target, copy_function=_copied, ignore=shutil.ignore_patterns(".*"))


def num_bytes(place: Path) -> int:
    """What the files of a directory take, those too that are being written; 0 where there is none."""
    total = 0
    for file in place.glob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += file.stat().st_size
    return total


def _copied(source: str, target: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(source, target)
