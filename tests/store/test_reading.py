"""ReadingStorage: what stock Optuna would read, and nothing written."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial
from sqlalchemy import event

from tests.store.databases import (
    OPTUNA_TABLES,
    STUDY,
    execute,
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
from tunefast.errors import StorageError
from tunefast.store import studies
from tunefast.store.reading import ReadingStorage


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with two studies, the first of which has a complete trial, one that runs and one that waits."""
    path = tmp_path / "reading.db"
    database = prepared(path)
    studies.create(database, study_spec())
    studies.create(database, study_spec("another", metric=["score", "seconds"]))
    storage = mirrored(database)
    write_everything(storage, storage.create_new_trial(storage.study_id))
    storage.create_new_trial(storage.study_id)
    storage.flush()
    database.close()
    with stock_study(path) as study:
        study.enqueue_trial({"params.x": 0.5})
    return path


@pytest.fixture
def storage(path: Path) -> Iterator[ReadingStorage]:
    """What is tested."""
    with closing(ReadingStorage(path)) as storage:
        yield storage


def check_trials(storage: ReadingStorage, path: Path) -> None:
    """The study's trials are those that stock Optuna reads."""
    study_id = storage.get_study_id_from_name(STUDY)
    trials = storage.get_all_trials(study_id)
    assert [plain(trial) for trial in trials] == [plain(trial) for trial in stock_trials(path)]


def test_it_reads_what_stock_optuna_reads(storage: ReadingStorage, path: Path) -> None:
    """Studies, their attributes and directions, and trials of every state."""
    check_trials(storage, path)
    with stock(path) as theirs:
        found = {study._study_id: vars(study) for study in theirs.get_all_studies()}
        for study in storage.get_all_studies():
            assert vars(study) == found.pop(study._study_id)
            assert storage.get_study_name_from_id(study._study_id) == study.study_name
            assert storage.get_study_directions(study._study_id) == study.directions
            assert storage.get_study_user_attrs(study._study_id) == study.user_attrs
            assert storage.get_study_system_attrs(study._study_id) == study.system_attrs
        assert not found
        study_id = storage.get_study_id_from_name(STUDY)
        assert plain(storage.get_best_trial(study_id)) == plain(theirs.get_best_trial(study_id))
        for trial in theirs.get_all_trials(study_id):
            assert plain(storage.get_trial(trial._trial_id)) == plain(trial)
        running = storage.get_all_trials(study_id, states=(TrialState.RUNNING,))
        assert [trial.number for trial in running] == [1]


def test_it_sees_what_others_write(storage: ReadingStorage, path: Path) -> None:
    """A new trial, a report of one that runs, its end, an attribute of the study, a new study: with the next look."""
    check_trials(storage, path)
    with stock_study(path) as study:
        trial = study.ask()
        check_trials(storage, path)
        trial.report(0.5, 1)
        check_trials(storage, path)
        study.tell(trial, 0.75)
        check_trials(storage, path)
        study.set_user_attr("seen", 1)
    assert storage.get_study_user_attrs(storage.get_study_id_from_name(STUDY))["seen"] == 1
    with stock(path) as theirs:
        theirs.create_new_study([StudyDirection.MINIMIZE], "new")
    assert [study.study_name for study in storage.get_all_studies()] == [STUDY, "another", "new"]


def test_it_sees_a_study_that_took_anothers_place(storage: ReadingStorage, path: Path) -> None:
    """SQLite gives the ids of what was deleted away again: the trials are those of the study that has them now."""
    check_trials(storage, path)
    with stock(path) as theirs:
        for study in theirs.get_all_studies():
            theirs.delete_study(study._study_id)
        assert theirs.create_new_study([StudyDirection.MAXIMIZE], STUDY) == 1
        theirs.create_new_trial(1, create_trial(state=TrialState.COMPLETE, value=7.0, user_attrs={"of": "the new one"}))
    check_trials(storage, path)


def test_it_sees_an_edit_of_the_space(storage: ReadingStorage, path: Path) -> None:
    """An edit restates the distributions of trials that ended too."""
    check_trials(storage, path)
    wider = '{"name": "FloatDistribution", "attributes": {"step": null, "low": -9.0, "high": 9.0, "log": false}}'
    execute(
        path,
        f"UPDATE trial_params SET distribution_json = '{wider}'",  # noqa: S608  our own text
        f"INSERT INTO study_user_attributes (study_id, key, value_json) VALUES (1, '{studies.EDITS_ATTRIBUTE}', '[1]')",  # noqa: S608
    )
    check_trials(storage, path)


def test_trials_that_ended_are_read_once(storage: ReadingStorage, path: Path) -> None:
    """Where nothing was written nothing is read; where something was, only the trials that had not ended."""
    check_trials(storage, path)
    study_id = storage.get_study_id_from_name(STUDY)
    first = storage.get_all_trials(study_id, deepcopy=False)
    statements: list[str] = []
    event.listen(storage._engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    assert storage.get_all_trials(study_id, deepcopy=False) == first
    assert statements == []
    with stock_study(path) as study:
        study.ask()
    second = storage.get_all_trials(study_id, deepcopy=False)
    assert second[0] is first[0]
    assert second[1] is not first[1]
    assert len(second) == len(first)  # the one that waited was taken


def test_garbage_is_collected_as_before(storage: ReadingStorage, path: Path) -> None:
    """Reading puts collections off, and leaves them on, or off, as it found them; also where it fails."""
    gc.disable()
    try:
        storage.get_all_trials(1)
        assert not gc.isenabled()
    finally:
        gc.enable()
    execute(path, "UPDATE trial_params SET distribution_json = 'torn' WHERE trial_id = 1", "DELETE FROM trial_values")
    with closing(ReadingStorage(path)) as torn, pytest.raises(json.JSONDecodeError):
        torn.get_all_trials(1)
    assert gc.isenabled()


def test_it_changes_nothing(storage: ReadingStorage, path: Path) -> None:
    """Every way of writing that Optuna's storages have is refused in words, and the rows stay as they are."""
    before = rows(path, *OPTUNA_TABLES)
    kind = storage.get_all_trials(1)[0].distributions["float"]
    for attempt in (
        lambda: storage.create_new_study([StudyDirection.MINIMIZE], "new"),
        lambda: storage.delete_study(1),
        lambda: storage.set_study_user_attr(1, "a", 1),
        lambda: storage.set_study_system_attr(1, "a", 1),
        lambda: storage.create_new_trial(1),
        lambda: storage.set_trial_param(2, "a", 0.5, kind),
        lambda: storage.set_trial_state_values(2, TrialState.COMPLETE, [1.0]),
        lambda: storage.set_trial_intermediate_value(2, 1, 1.0),
        lambda: storage.set_trial_user_attr(2, "a", 1),
        lambda: storage.set_trial_system_attr(2, "a", 1),
    ):
        with pytest.raises(StorageError, match="reading only"):
            attempt()
    assert rows(path, *OPTUNA_TABLES) == before


def test_a_writer_writes(path: Path) -> None:
    """With a writer what is changed goes there, and is seen at once."""
    with stock(path) as writer, closing(ReadingStorage(path, writer)) as storage:
        check_trials(storage, path)
        storage.set_study_user_attr(1, "a", 1)
        write_everything(storage, storage.create_new_trial(1))  # type: ignore[arg-type]
        assert storage.get_study_user_attrs(1)["a"] == 1
        check_trials(storage, path)
        storage.delete_study(1)
        with pytest.raises(KeyError, match="no study"):
            storage.get_all_trials(1)


def test_what_is_not_there_is_told(storage: ReadingStorage, tmp_path: Path) -> None:
    """Optuna's callers expect a KeyError; a file that is missing is the user's mistake, and stays missing."""
    for attempt in (
        lambda: storage.get_study_id_from_name("nobody"),
        lambda: storage.get_study_name_from_id(99),
        lambda: storage.get_all_trials(99),
        lambda: storage.get_trial(99),
    ):
        with pytest.raises(KeyError):
            attempt()
    with pytest.raises(StorageError, match="no such database"):
        ReadingStorage(tmp_path / "missing.db")
    assert not (tmp_path / "missing.db").exists()
