"""Trials that wait in the database, as stock Optuna's ``enqueue_trial`` leaves them, until they are claimed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from tunefast.errors import UserError
from tunefast.store.engine import file_url
from tunefast.store.rows import IMPORTED, retried, retry
from tunefast.store.snapshot import StudySnapshot


def enqueue(path: Path, study: str, trials: Sequence[FrozenTrial]) -> list[int]:
    """Add trials that wait to a study; returns their numbers."""
    storage = optuna.storages.RDBStorage(file_url(path).render_as_string())
    try:
        study_id = storage.get_study_id_from_name(study)
        new = [storage.create_new_trial(study_id, trial) for trial in trials]
        return [storage.get_trial_number_from_id(trial_id) for trial_id in new]
    finally:
        storage.remove_session()
        storage.engine.dispose()


def retry_trials(path: Path, study: StudySnapshot, number: int | None = None) -> dict[int, int]:
    """Queue trial `number` again, or all that failed and were not queued since: number -> that of the new trial.

    The new ones take the place of the failed ones in the budget. Raises `UserError` for a trial that did not fail, or
    is queued again already.
    """
    again = retried(study.trials)
    failed = {
        trial.number: trial
        for trial in study.trials
        if trial.state == TrialState.FAIL and IMPORTED not in trial.user_attrs and trial.number not in again
    }
    if number is not None:
        _check(study, number, set(failed), again)
        failed = {number: failed[number]}
    return dict(zip(failed, enqueue(path, study.name, [retry(trial) for trial in failed.values()]), strict=True))


def _check(study: StudySnapshot, number: int, failed: set[int], again: set[int]) -> None:
    if study.trial(number).number in failed:
        return
    if number in again:
        raise UserError(message=f"trial {number} of study {study.name!r} is tried again already")
    known = f"; failed: {', '.join(map(str, sorted(failed)))}" if failed else ""
    raise UserError(message=f"trial {number} of study {study.name!r} did not fail{known}")
