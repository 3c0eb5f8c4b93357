"""Copying a trial's checkpoints, which it may be replacing meanwhile."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path


def copied_checkpoints(source: Path, target: Path) -> None:
    """Copy the directory `source` to `target`, without what is being written, and without what goes meanwhile."""
    shutil.copytree(source, target, copy_function=_copied, ignore=shutil.ignore_patterns(".*"))


def _copied(source: str, target: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(source, target)
