"""Standing: which of the trials that run to Optuna wait."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.report.made import RUNNING, attempt, study, trial
from tunefast.spec.progress import AT_RUNG


@pytest.mark.parametrize(
    ("ended", "num_workers", "word"),
    [
        (None, None, "running"),
        (None, 2, "running"),
        (None, 0, "waiting"),
        (5.0, None, "waiting"),
        (5.0, 2, "waiting"),
    ],
)
def test_a_trial_that_nobody_trains_waits(ended: float | None, num_workers: int | None, word: str) -> None:
    """Its last attempt ended, or nobody works on its study, as after a power cut, which noted no end."""
    found = study(trial(None, RUNNING), attempts=[attempt(0, "w1", 0, 1), attempt(0, "w1", 2, ended, "lost", 2)])
    found = replace(found, num_workers=num_workers)
    assert (found.counts, found.num_unfinished, found.at_rung) == ({word: 1}, 1, set())


def test_a_trial_of_stock_optuna_runs() -> None:
    """Whoever trains it, tunefast knows nothing of it."""
    assert replace(study(trial(None, RUNNING)), num_workers=0).counts == {"running": 1}


def test_who_waits_at_a_rung() -> None:
    """By what its last attempt ended with."""
    rows = [{**attempt(0, "w1", 0, 1, "paused"), "reason": AT_RUNG}, attempt(1, "w1", 2, 3, "paused")]
    found = study(trial(None, RUNNING), trial(None, RUNNING), attempts=rows)
    assert (found.begun_waiting, found.at_rung) == ({0, 1}, {0})


def test_nobody_has_to_resume_what_nobody_works_on() -> None:
    """People's wish that a study waits is void for who begins anew, so it is paused only while it has workers."""
    held = replace(study(), held=True)
    assert [replace(held, num_workers=num).is_paused for num in (None, 2, 0)] == [True, True, False]
