"""When a study ends."""

from __future__ import annotations

import re
from enum import StrEnum

from tunefast.spec.progress import NO_REPORT, TARGET
from tunefast.spec.sections import Budget

SAME_FAILURES = 3
"""Trials at the start of a session that fail with one error before the study is stopped."""


class End(StrEnum):
    """Why a study hands out no more trials."""

    TRIALS = "trials"
    """Every trial of the budget was handed out, or every cell of the grid."""
    MINUTES = "minutes"
    TARGET = TARGET
    FAILING = "failing"
    """The first trials all failed with the same error."""
    PAUSED = "paused"
    """The machine has to be mended before anything can be trained."""
    DELETED = "deleted"
    """Somebody deleted the study."""

    @property
    def stops_running_trials(self) -> bool:
        """Whether trials that still run end at their next epoch, rather than at their last."""
        return self is not End.TRIALS


def ended_by(end: End) -> str:
    """Why a trial ended that had epochs left."""
    return f"the study ended: {end}"


def spent(budget: Budget, num_trials: int, active_seconds: float) -> End | None:
    """Which limit is used up, if any. `num_trials` counts every trial handed out, whatever became of it."""
    if budget.minutes is not None and active_seconds >= budget.minutes * 60:
        return End.MINUTES
    if budget.trials is not None and num_trials >= budget.trials:
        return End.TRIALS
    return None


def reached(target: float | None, value: float, *, maximize: bool) -> bool:
    """Whether `value` is as good as the target, if there is one."""
    if target is None:
        return False
    return value >= target if maximize else value <= target


_WORD, _OF_ONE_TRIAL = re.compile(r"\S+"), re.compile(r"[\d/]")
"""The words of an error, and what those have that may differ from trial to trial: numbers and paths."""


class FirstErrors:
    """Watches how the first trials of a session end: where all fail alike, what is wrong is not their recipes."""

    def __init__(self) -> None:
        self._last_lines: list[str] = []

    def all_same(self, error: str | None) -> bool:
        """Take in a trial's error, None where it did not fail; returns whether it was the last of all-alike ones."""
        if len(self._last_lines) == SAME_FAILURES:
            return False
        self._last_lines.append(_kind(error or ""))
        full = len(self._last_lines) == SAME_FAILURES
        return full and len(set(self._last_lines)) == 1 and self._last_lines[0] != ""


def _kind(error: str) -> str:
    """What errors of one kind have in common: how a program ended, or the last line, without numbers and paths."""
    lines = error.strip().splitlines() or [""]
    what = [lines[0]] if NO_REPORT in lines[0] else [lines[-1]]
    return _WORD.sub(lambda word: "#" if _OF_ONE_TRIAL.search(word[0]) else word[0], " ".join(what))
