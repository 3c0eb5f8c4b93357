"""The attempts at a trial: where each was trained, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from tunefast.run.provenance import facts
from tunefast.spec.progress import AT_RUNG

Row = Mapping[str, Any]
"""Of the attempts' table."""


def show_attempts(out: Console, rows: Sequence[Row], *, runs: bool) -> None:
    """Print a line per attempt; what it ran with below the first one, below later ones what is another.

    `runs` is whether the trial is being trained, by its last attempt.
    """
    before: Row = {}
    for index, row in enumerate(rows):
        seed = "" if row["seed"] == before.get("seed") else f", seed {row['seed']}"
        where = f"{row['worker']} on {row['device']}, {_threads(row['threads'])}{seed}"
        ending = _ending(row, runs=runs and index == len(rows) - 1)
        out.print(f"attempt {row['attempt']}: {where}: {ending}", soft_wrap=True)
        known = facts(before["provenance"]) if before else []
        new = [fact for fact in facts(row["provenance"]) if fact not in known]
        if new:
            out.print(f"  {', '.join(new)}")
        before = row


def _ending(row: Row, *, runs: bool) -> str:
    """How an attempt ended; one whose end nobody noted was cut off, unless it is under way."""
    if row["ending"] is None:
        return "running" if runs else "cut off"
    if row["ending"] != "paused":
        return " ".join(filter(None, [row["ending"], row["reason"]]))
    return "then it waited at its rung" if row["reason"] == AT_RUNG else f"then it waited: {row['reason']}"


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"
