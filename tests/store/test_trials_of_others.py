"""MirroredStorage: what a live study sees of others, who add, claim, end and delete meanwhile."""

from __future__ import annotations

import tempfile
from pathlib import Path

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from tests.store.databases import (
    OPTUNA_TABLES,
    STUDY,
    mirrored,
    plain,
    prepared,
    rows,
    stock,
    stock_study,
    stock_trials,
    study_spec,
    write_everything,
)
from tunefast.store import studies
from tunefast.store.database import Database, StudyGone
from tunefast.store.trials import MirroredStorage


@pytest.mark.parametrize("flushed", [False, True])
def test_a_trial_failed_from_outside_stays_failed(
    storage: MirroredStorage, database: Database, *, flushed: bool
) -> None:
    """The last word on a trial is guarded: where somebody spoke it, nothing is added, and `flush` says so."""
    mine, other = storage.create_new_trial(storage.study_id), storage.create_new_trial(storage.study_id)
    storage.set_trial_intermediate_value(mine, 1, 0.1)
    if flushed:
        storage.flush()
    with stock_study(database.path) as study:
        study.tell(0, state=TrialState.FAIL)
    before = rows(database.path, *OPTUNA_TABLES)
    write_everything(storage, mine)
    assert storage.flush() == [0]
    assert rows(database.path, *OPTUNA_TABLES) == before
    assert [trial.state for trial in storage.get_all_trials(storage.study_id)] == [TrialState.FAIL, TrialState.RUNNING]
    write_everything(storage, other)
    assert storage.flush() == []
    assert [trial.state for trial in stock_trials(database.path)] == [TrialState.FAIL, TrialState.COMPLETE]


def test_reconcile_tells_what_others_ended(storage: MirroredStorage, database: Database) -> None:
    """Running trials that others ended are named, and in memory are as the database has them."""
    for _ in range(3):
        storage.create_new_trial(storage.study_id)
    with stock_study(database.path) as study:
        study.tell(1, 0.5)
        study.tell(2, state=TrialState.FAIL)
    assert storage.reconcile() == [1, 2]
    assert storage.reconcile() == []
    states = [(trial.state, trial.value) for trial in storage.get_all_trials(storage.study_id)]
    assert states == [(TrialState.RUNNING, None), (TrialState.COMPLETE, 0.5), (TrialState.FAIL, None)]
    with pytest.raises(UpdateFinishedTrialError):
        storage.set_trial_intermediate_value(storage.get_trial_id_from_study_id_trial_number(storage.study_id, 1), 1, 0)


def test_an_enqueued_trial_is_claimed_once(storage: MirroredStorage, database: Database) -> None:
    """A trial that stock Optuna enqueues while the study is live is asked for once, with its params and attributes."""
    ours = optuna.load_study(study_name=STUDY, storage=storage)
    with stock_study(database.path) as study:
        study.enqueue_trial({"float": 0.125}, user_attrs={"from": "a person"})
    storage.reconcile()
    first, second = ours.ask(), ours.ask()
    assert (first.number, second.number) == (0, 1)
    assert first.suggest_float("float", -1.5, 2.5) == 0.125
    storage.flush()
    theirs = stock_trials(database.path)
    assert [trial.state for trial in theirs] == [TrialState.RUNNING, TrialState.RUNNING]
    assert (theirs[0].params, theirs[0].user_attrs) == ({"float": 0.125}, {"from": "a person"})
    assert theirs[0].datetime_start is not None


@pytest.mark.parametrize("told", [False, True])
def test_an_enqueued_trial_that_another_claimed_is_not_ours(
    storage: MirroredStorage, database: Database, *, told: bool
) -> None:
    """Of two processes that ask for an enqueued trial, one gets it."""
    ours = optuna.load_study(study_name=STUDY, storage=storage)
    with stock_study(database.path) as study:
        study.enqueue_trial({"float": 0.125})
        storage.reconcile()
        theirs = study.ask()
        if told:
            study.tell(theirs, 1.0)
    assert ours.ask().number == 1
    assert storage.reconcile() == [0]
    state = TrialState.COMPLETE if told else TrialState.RUNNING
    assert storage.get_all_trials(storage.study_id)[0].state == state
    assert stock_trials(database.path)[0].state == state


ACTS = st.lists(
    st.sampled_from(["ours", "ours", "report", "stock", "enqueue", "fail", "reconcile", "flush"]), max_size=12
)


@given(ACTS)
@settings(max_examples=8)
def test_numbers_never_collide(acts: list[str]) -> None:
    """However ours and other people's trials interleave, each has a number of its own, and both sides agree on all."""
    with tempfile.TemporaryDirectory() as directory:
        database = prepared(Path(directory) / "store.db")
        studies.create(database, study_spec())
        storage = mirrored(database)
        with stock_study(database.path) as study:
            for act in acts:
                _act(act, storage, study)
        storage.flush()
        storage.reconcile()
        theirs, live = stock_trials(database.path), storage.get_all_trials(storage.study_id)
        database.close()
    assert [trial.number for trial in theirs] == list(range(len(theirs)))
    assert len({trial._trial_id for trial in theirs}) == len(theirs)
    assert [plain(trial, moments=False) for trial in live] == [plain(trial, moments=False) for trial in theirs]


def _act(act: str, storage: MirroredStorage, study: optuna.Study) -> None:
    running = [trial for trial in storage.get_all_trials(storage.study_id) if trial.state == TrialState.RUNNING]
    match act:
        case "ours":
            storage.create_new_trial(storage.study_id)
        case "report" if running:
            storage.set_trial_intermediate_value(running[-1]._trial_id, 1, 0.5)
        case "stock":
            study.tell(study.ask(), 0.5)
        case "enqueue":
            study.enqueue_trial({"float": 0.5})
        case "fail" if running:
            study.tell(running[0].number, state=TrialState.FAIL, skip_if_finished=True)
        case "reconcile":
            storage.reconcile()
        case "flush":
            storage.flush()


@pytest.mark.parametrize("name", ["another", STUDY])
def test_a_deleted_study_gets_nothing(storage: MirroredStorage, database: Database, name: str) -> None:
    """Once somebody deleted the study, Optuna's tables get nothing of ours, even where a new study has the same ids."""
    trial_id, waiting_id = storage.create_new_trial(storage.study_id), storage.create_new_trial(storage.study_id)
    with stock_study(database.path) as study:
        study.enqueue_trial({})
    storage.reconcile()
    write_everything(storage, trial_id)
    with stock(database.path) as others:
        optuna.delete_study(study_name=STUDY, storage=others)
        new = optuna.create_study(study_name=name, storage=others)
        for _ in range(2):
            new.ask()
        new.enqueue_trial({})
        assert [trial._trial_id for trial in new.trials] == [trial_id, waiting_id, waiting_id + 1]
        assert new._study_id == storage.study_id
    before = rows(database.path, *OPTUNA_TABLES)
    assert storage.flush() == [0]
    for touch in (
        storage.reconcile,
        lambda: storage.create_new_trial(storage.study_id),
        lambda: storage.set_trial_state_values(waiting_id + 1, TrialState.RUNNING),
    ):
        with pytest.raises(StudyGone):
            touch()
    assert rows(database.path, *OPTUNA_TABLES) == before
    live = storage.get_all_trials(storage.study_id)
    assert (live[0].state, live[0].value) == (TrialState.COMPLETE, 0.75)
