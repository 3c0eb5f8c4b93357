"""How trials stand that Optuna says run: whether somebody trains them, or they wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from tunefast.spec.progress import AT_RUNG
from tunefast.store.rows import IMPORTED, OURS, retried, state_word

Rows = Sequence[Mapping[str, Any]]
"""Of the attempts' table, in order."""


def words(trials: Sequence[FrozenTrial], waiting: Iterable[int]) -> dict[int, str]:
    """By trial, its state in tunefast's words; `waiting` are those that were begun and wait."""
    special = dict.fromkeys(waiting, "waiting") | dict.fromkeys(retried(trials), "retried")
    return {trial.number: special.get(trial.number) or state_word(trial) for trial in trials}


def counts(trials: Iterable[FrozenTrial], states: Mapping[int, str]) -> dict[str, int]:
    """Trials by state; those from another study as "imported" however they ended, since none was trained here."""
    return dict(Counter("imported" if IMPORTED in trial.user_attrs else states[trial.number] for trial in trials))


def begun_waiting(trials: Iterable[FrozenTrial], attempts: Rows, *, nobody_works: bool) -> set[int]:
    """The trials of ours that run to Optuna, and that nobody trains: their last attempt ended, or nobody works at all.

    Trials that are not ours may run wherever stock Optuna does.
    """
    last = {row["trial"]: row for row in attempts}
    trained = set() if nobody_works else {number for number, row in last.items() if row["ended_at"] is None}
    running = [trial for trial in trials if trial.state == TrialState.RUNNING]
    ours = {trial.number for trial in running if OURS in trial.system_attrs or trial.number in last}
    return ours - trained


def at_rung(waiting: Iterable[int], attempts: Rows) -> set[int]:
    """Of trials that wait, those that do until they are among the best at their rung."""
    reasons = {row["trial"]: row["reason"] for row in attempts}
    return {number for number in waiting if reasons.get(number) == AT_RUNG}
