"""StudySnapshot: figures of a study at one moment."""

from __future__ import annotations

import gc
import hashlib
import math
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from tests.store.databases import STUDY, execute, mirrored, stock, stock_study, study_spec, uuid_of
from tunefast.errors import StorageError, StudyNotFound, StudyNotOurs
from tunefast.spec.progress import Assignment, EpochReport
from tunefast.store import studies
from tunefast.store.database import Database
from tunefast.store.engine import file_url
from tunefast.store.epochs import TrialLog
from tunefast.store.snapshot import outlines, snapshot, study_names


def add(database: Database, *trials: dict[str, Any]) -> None:
    """Let stock Optuna add trials to the study."""
    with stock_study(database.path) as study:
        study.add_trials([create_trial(**trial) for trial in trials])


def complete(value: float) -> dict[str, Any]:
    """A complete trial."""
    return {"state": TrialState.COMPLETE, "value": value}


def test_counts_by_state(database: Database) -> None:
    """Trials are counted under the words that people read."""
    studies.create(database, study_spec())
    assert snapshot(database.path, STUDY).counts == {}
    states = [TrialState.FAIL, TrialState.PRUNED, TrialState.RUNNING, TrialState.WAITING, TrialState.FAIL]
    add(database, complete(0.5), *({"state": state} for state in states))
    counts = {"complete": 1, "failed": 2, "pruned": 1, "running": 1, "waiting": 1}
    assert snapshot(database.path, STUDY).counts == counts


def test_a_study_that_people_paused_is_held(database: Database) -> None:
    """In a snapshot and in an outline, until they let it go on."""
    studies.create(database, study_spec())
    for held in (False, True, False):
        studies.keep_orders(database, uuid_of(database), studies.Orders(held=held))
        outline = outlines(database.path, lambda _: [])[STUDY]
        assert outline is not None
        assert snapshot(database.path, STUDY).held is outline.held is held


def test_reading_leaves_the_collector_as_it_was(database: Database) -> None:
    """It pauses while rows are read, also where that fails, and one that was off stays off."""
    studies.create(database, study_spec())
    for enabled in (True, False):
        (gc.enable if enabled else gc.disable)()
        try:
            snapshot(database.path, STUDY)
            with pytest.raises(StudyNotFound):
                snapshot(database.path, "gone")
            assert gc.isenabled() is enabled
        finally:
            gc.enable()


@pytest.mark.parametrize(("direction", "best"), [("maximize", (2, 0.75)), ("minimize", (1, 0.25))])
def test_the_best_is_the_earliest_of_equals(database: Database, direction: str, best: tuple[int, float]) -> None:
    """The best complete trial in the study's direction; of equals the first; pruned ones do not count."""
    studies.create(database, study_spec(direction=direction))
    assert snapshot(database.path, STUDY).best is None
    pruned = [{"state": TrialState.PRUNED, "value": 9.0}, {"state": TrialState.PRUNED, "value": -9.0}]
    add(database, pruned[0], complete(0.25), complete(0.75), complete(0.75), complete(0.25), pruned[1])
    found = snapshot(database.path, STUDY).best
    assert found is not None
    assert (found.number, found.value) == best


def test_an_infinite_value_can_be_best(database: Database) -> None:
    """A metric with no end is read back as it is."""
    studies.create(database, study_spec())
    add(database, complete(0.5), complete(math.inf))
    found = snapshot(database.path, STUDY).best
    assert found is not None
    assert found.value == math.inf


def test_epochs_planned_and_run(database: Database) -> None:
    """Ended trials count with the epochs they ran, and those that a rule stopped with the epochs it saved."""
    space = {"epochs": {"low": 1, "high": 40}}
    studies.create(database, study_spec(space=space))
    epochs = optuna.distributions.IntDistribution(1, 40)
    states = [TrialState.PRUNED, TrialState.RUNNING, TrialState.FAIL]
    add(
        database,
        *({"state": state, "params": {"epochs": 20}, "distributions": {"epochs": epochs}} for state in states),
        complete(1.0),
    )
    execute(
        database.path,
        "INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (1, 'reason', '\"pruner\"')",
    )
    storage, log = mirrored(database), TrialLog(database, uuid_of(database))
    for trial, num in ((0, 3), (1, 5), (3, 2)):
        for epoch in range(1, num + 1):
            report = EpochReport(epoch=epoch, metrics={"score": 0.5}, train_seconds=0.5)
            log.report(storage.group, trial, 1, report)
    storage.flush()
    read = snapshot(database.path, STUDY)
    assert read.epochs_planned == 20 + 2
    assert read.epochs_run == 3 + 2
    assert read.train_seconds == 10 * 0.5


def test_a_snapshot_is_of_one_study(database: Database) -> None:
    """Spec, trials, attempts, epochs and active time are those of the study, in order."""
    for name in ("other", STUDY):
        studies.create(database, study_spec(name))
        storage, log = mirrored(database, name), TrialLog(database, uuid_of(database, name))
        for trial in (1, 0):
            storage.create_new_trial(storage.study_id)
            assignment = Assignment(
                study=name, trial=trial, token=1, attempt=1, recipe={}, seed=1, threads=1, device="cpu"
            )
            log.start(storage.group, assignment, name, {"host": "h"})
            log.report(storage.group, trial, 1, EpochReport(epoch=1, metrics={"score": 0.5}))
        log.active(storage.group, float(len(name)))
        storage.flush()
    read = snapshot(database.path, STUDY)
    assert (read.name, read.uuid, read.spec) == (STUDY, uuid_of(database), study_spec())
    assert [trial.number for trial in read.trials] == [0, 1]
    assert [(row["trial"], row["worker"], row["provenance"]) for row in read.attempts] == [
        (0, STUDY, {"host": "h"}),
        (1, STUDY, {"host": "h"}),
    ]
    assert [(row["trial"], row["metrics"]) for row in read.epochs] == [(0, {"score": 0.5}), (1, {"score": 0.5})]
    assert read.active_seconds == len(STUDY)


def test_details(database: Database) -> None:
    """What a report says beside its metrics is read back; an epoch without any has none."""
    studies.create(database, study_spec())
    storage, log = mirrored(database), TrialLog(database, uuid_of(database))
    storage.create_new_trial(storage.study_id)
    costs = {"num_parameters": 3.0, "forward_flops": 1e9}
    log.report(storage.group, 0, 1, EpochReport(epoch=1, metrics={"score": 0.5}, details=costs))
    log.report(storage.group, 0, 1, EpochReport(epoch=2, metrics={"score": 0.5}))
    storage.flush()
    assert [row["details"] or {} for row in snapshot(database.path, STUDY).epochs] == [costs, {}]


def test_database_of_an_earlier_version(database: Database) -> None:
    """A study whose epochs were written before there were details is read as it is; its owner adds the column."""
    studies.create(database, study_spec())
    storage, log = mirrored(database), TrialLog(database, uuid_of(database))
    storage.create_new_trial(storage.study_id)
    log.report(storage.group, 0, 1, EpochReport(epoch=1, metrics={"score": 0.5}))
    storage.flush()
    path = database.path
    database.close()
    execute(path, "ALTER TABLE tunefast_epochs DROP COLUMN details")
    execute(path, "ALTER TABLE tunefast_studies DROP COLUMN slot_seconds")
    before = hashlib.sha256(path.read_bytes()).digest()
    read = snapshot(path, STUDY)
    assert [(row["metrics"], row["details"]) for row in read.epochs] == [({"score": 0.5}, None)]
    assert read.slot_seconds is None
    assert hashlib.sha256(path.read_bytes()).digest() == before
    owner = Database(path)
    studies.prepare(owner)
    log = TrialLog(owner, uuid_of(owner))
    storage = mirrored(owner)
    log.report(storage.group, 0, 1, EpochReport(epoch=2, metrics={"score": 0.5}, details={"skipped_steps": 1.0}))
    storage.flush()
    assert [row["details"] for row in snapshot(path, STUDY).epochs] == [None, {"skipped_steps": 1.0}]
    owner.close()


def test_reading_changes_nothing(database: Database) -> None:
    """A snapshot is taken while the owner writes, and the file stays as it is."""
    studies.create(database, study_spec())
    execute(database.path, "PRAGMA wal_checkpoint")
    before = hashlib.sha256(database.path.read_bytes()).digest()
    with database.transaction():
        assert snapshot(database.path, STUDY).trials == []
        assert study_names(database.path) == {STUDY: True}
    assert hashlib.sha256(database.path.read_bytes()).digest() == before


def test_studies_are_told_apart(database: Database, tmp_path: Path) -> None:
    """Each study is named with whether tunefast created it."""
    studies.create(database, study_spec())
    with stock(database.path) as storage:
        optuna.create_study(study_name="theirs", storage=storage)
    assert study_names(database.path) == {STUDY: True, "theirs": False}
    with pytest.raises(StudyNotOurs):
        snapshot(database.path, "theirs")
    with pytest.raises(StudyNotFound, match="Did you mean 'study'"):
        snapshot(database.path, "studie")
    with pytest.raises(StorageError, match="no such database"):
        study_names(tmp_path / "missing.db")


def test_a_copy_is_listed_as_not_ours(database: Database) -> None:
    """A study that stock Optuna copied carries our uuid along, and is none of ours; listing says so for each."""
    studies.create(database, study_spec())
    url = str(file_url(database.path))
    optuna.copy_study(from_study_name=STUDY, from_storage=url, to_storage=url, to_study_name="copy")
    assert study_names(database.path) == {STUDY: True, "copy": False}
