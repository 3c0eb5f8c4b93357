"""The slot ledger: every second of a study's slots is somewhere, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState, create_trial

from tests.store.databases import study_spec
from tunefast.search.slot_ledger import SlotLedger, slot_ledger
from tunefast.store.epochs import LOST
from tunefast.store.snapshot import StudySnapshot

START = datetime(2026, 1, 1, tzinfo=UTC)
ZERO = SlotLedger(*[0.0] * len(SlotLedger._fields))


def study(attempts: list[dict[str, Any]], epochs: list[dict[str, Any]], slots: float | None) -> StudySnapshot:
    """Trial 0 is the best, 1 complete, 2 pruned, 3 runs, 4 failed."""
    states = [
        (TrialState.COMPLETE, 0.9),
        (TrialState.COMPLETE, 0.5),
        (TrialState.PRUNED, None),
        (TrialState.RUNNING, None),
        (TrialState.FAIL, None),
    ]
    trials = []
    for number, (state, value) in enumerate(states):
        trial = create_trial(state=state, value=value)
        trial.number = number
        trials.append(trial)
    return StudySnapshot("s", "u", study_spec(), trials, 10.0, attempts, epochs, slot_seconds=slots)


def attempt(trial: int, seconds: float | None, ending: str = "complete", number: int = 1) -> dict[str, Any]:
    """An attempt that took so long; None for one that was never seen to end."""
    ended = None if seconds is None else START + timedelta(seconds=seconds)
    return {"trial": trial, "attempt": number, "started_at": START, "ended_at": ended, "ending": ending}


def epoch(trial: int, train: float, evaluated: float = 0.0, number: int = 1, **details: float) -> dict[str, Any]:
    """An epoch of an attempt."""
    row = {"trial": trial, "attempt": number, "train_seconds": train, "eval_seconds": evaluated}
    return {**row, "details": {f"{name}_seconds": seconds for name, seconds in details.items()} or None}


def test_each_second_has_its_place() -> None:
    """Training counts by what became of the trial, losses as redone, what nobody trained in as idle."""
    attempts = [
        attempt(0, 10.0),
        attempt(1, 4.0, LOST),
        attempt(1, 5.0, number=2),
        attempt(2, 3.0, "pruned"),
        attempt(3, None, ""),
        attempt(4, 2.0, "failed"),
    ]
    epochs = [
        epoch(0, 4.0, 1.0, setup=2.0, compile=0.5),
        epoch(0, 1.0, 0.5, checkpoint=0.25),
        epoch(1, 1.0),
        epoch(1, 4.0, number=2),
        epoch(2, 2.5),
        epoch(3, 1.5),
        epoch(4, 0.5, 0.25),
    ]
    assert slot_ledger(study(attempts, epochs, 30.0)) == SlotLedger(
        winner=5.0,
        finished=5.0,
        stopped=2.5,
        failed=1.75,
        unfinished=1.5,
        evaluation=1.75,
        data=2.0,
        compile=0.5,
        checkpoints=0.25,
        redone=3.0,
        rest=0.75 + 1.0 + 0.5,
        idle=4.5,
        total=30.0,
    )


def test_epochs_of_another_trial() -> None:
    """A variant that goes on from another trial's checkpoint has rows of epochs that it did not train."""
    found = slot_ledger(study([attempt(1, 2.0)], [epoch(1, 6.0, 2.0)], 5.0))
    assert found == ZERO._replace(finished=1.5, evaluation=0.5, idle=3.0, total=5.0)


def test_an_earlier_tunefast_did_not_count() -> None:
    """Without the slots' time there is no ledger; without work it is all idle."""
    assert slot_ledger(study([], [], None)) is None
    assert slot_ledger(study([], [], 4.0)) == ZERO._replace(idle=4.0, total=4.0)


def test_a_night_asleep() -> None:
    """Where the wall's clock went on while the machine slept, what is too much is no time of slots."""
    found = slot_ledger(study([attempt(0, 3600.0)], [epoch(0, 4.0, 1.0)], 10.0))
    assert found == ZERO._replace(winner=4.0, evaluation=1.0, rest=5.0, total=10.0)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 4), st.floats(0, 100), st.floats(0, 50), st.floats(0, 50), st.sampled_from(["", LOST])
        ),
        max_size=8,
    )
)
def test_it_adds_up(rows: list[tuple[int, float, float, float, str]]) -> None:
    """Whatever is told, the parts are the whole, and none but idle time is negative."""
    attempts = [attempt(trial, lasted, ending, n) for n, (trial, lasted, _, _, ending) in enumerate(rows)]
    epochs = [epoch(trial, train, evaluated, n) for n, (trial, _, train, evaluated, _) in enumerate(rows)]
    found = slot_ledger(study(attempts, epochs, sum(row[1] for row in rows) + 1.0))
    assert found is not None
    *parts, total = found
    assert sum(parts) == pytest.approx(total)
    assert all(part >= 0 for part in parts[:-1])
    assert found.idle == pytest.approx(1.0, abs=1e-3)
