"""Creating, finding, changing and deleting studies."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from tests.store.databases import (
    OPTUNA_TABLES,
    OUR_TABLES,
    STUDY,
    execute,
    mirrored,
    prepared,
    rows,
    stock,
    study_spec,
    uuid_of,
)
from tunefast.errors import StorageError, StudyExists, StudyNotFound, StudyNotOurs
from tunefast.spec.progress import Assignment, CheckpointFile, EpochReport
from tunefast.spec.sections import Budget
from tunefast.store import studies
from tunefast.store.database import Database
from tunefast.store.epochs import TrialLog
from tunefast.store.tables import UUID_ATTRIBUTE


def found(database: Database, name: str = STUDY) -> studies.StoredStudy:
    """The stored study."""
    with database.transaction() as connection:
        return studies.find(connection, name, database.path)


def fill(database: Database, name: str) -> None:
    """Create a study and leave a row of every kind in it."""
    studies.create(database, study_spec(name))
    storage, log = mirrored(database, name), TrialLog(database, uuid_of(database, name))
    trial_id = storage.create_new_trial(storage.study_id)
    storage.set_trial_param(trial_id, "x", 0.5, optuna.distributions.FloatDistribution(0, 1))
    storage.set_trial_intermediate_value(trial_id, 1, 0.5)
    storage.set_trial_user_attr(trial_id, "a", 1)
    storage.set_trial_system_attr(trial_id, "a", 1)
    storage.set_trial_state_values(trial_id, TrialState.COMPLETE, [0.5])
    assignment = Assignment(study=name, trial=0, token=1, attempt=1, recipe={}, seed=2**62, threads=1, device="cpu")
    log.start(storage.group, assignment, "w1", {"versions": {}})
    log.report(storage.group, 0, 1, EpochReport(epoch=1, metrics={"score": 0.5}))
    log.saved(storage.group, 0, CheckpointFile(epoch=1, num_bytes=8, sha256="0" * 64))
    storage.flush()
    execute(
        database.path,
        "INSERT INTO trial_heartbeats (trial_id, heartbeat) SELECT max(trial_id), '2026-01-01' FROM trials",
    )


def test_a_created_study_is_found(database: Database) -> None:
    """What was asked for is stored whole, under a uuid that stock Optuna keeps with its study."""
    spec = study_spec(
        metric="val_loss",
        space={
            "params.kind": {"choices": ["a", {"label": "b", "depth": 2}]},
            "params.n": {"low": 1, "high": 8, "log": True},
        },
        budget={"trials": 3, "minutes": 0.5, "target": 0.1},
        sampler={"name": "tpe", "startup_trials": 4},
        seed=7,
    )
    studies.create(database, spec)
    stored = found(database)
    assert (stored.spec, stored.active_seconds) == (spec, 0.0)
    with stock(database.path) as storage:
        study = optuna.load_study(study_name=STUDY, storage=storage)
        assert study.user_attrs == {UUID_ATTRIBUTE: stored.uuid}
        assert study.direction == optuna.study.StudyDirection.MINIMIZE


def test_a_name_is_taken_once(database: Database) -> None:
    """A second study of one name is refused, also where stock Optuna has the first; nothing is stored of it."""
    studies.create(database, study_spec())
    with stock(database.path) as storage:
        optuna.create_study(study_name="theirs", storage=storage)
    before = rows(database.path, *OPTUNA_TABLES, *OUR_TABLES)
    for name in (STUDY, "theirs"):
        with pytest.raises(StudyExists, match=name):
            studies.create(database, study_spec(name))
    assert rows(database.path, *OPTUNA_TABLES, *OUR_TABLES) == before


def test_an_unknown_name_gets_the_nearest(database: Database) -> None:
    """A mistyped name is answered with the one that was meant."""
    with pytest.raises(StudyNotFound, match=r"There is no study 'digits' in .*store\.db\.$"):
        found(database, "digits")
    studies.create(database, study_spec("digits"))
    for touch in (found, studies.delete):
        with pytest.raises(StudyNotFound, match="Did you mean 'digits'"):
            touch(database, "digit")


def test_stock_studies_are_not_ours(database: Database, tmp_path: Path) -> None:
    """A study that stock Optuna made has no spec to run, whether our tables are there or not."""
    with stock(database.path) as storage:
        optuna.create_study(study_name="theirs", storage=storage)
    with pytest.raises(StudyNotOurs, match="theirs"):
        found(database, "theirs")
    with pytest.raises(StudyNotOurs, match="theirs"):
        studies.extend(database, "theirs", Budget(trials=1))
    plain = tmp_path / "plain.db"
    with stock(plain) as storage:
        optuna.create_study(study_name="theirs", storage=storage)
    studies.check_usable(plain)
    without = Database(plain)
    with pytest.raises(StudyNotOurs, match="theirs"):
        found(without, "theirs")
    without.close()


def test_extend_changes_the_limits_that_are_given(database: Database) -> None:
    """Limits that are not given stay, and so does the rest of the spec."""
    spec = study_spec(budget={"trials": 3, "target": 0.9})
    studies.create(database, spec)
    extended = studies.extend(database, STUDY, Budget(trials=5, minutes=2))
    assert extended.budget == Budget(trials=5, minutes=2, target=0.9)
    assert extended == spec.model_copy(update={"budget": extended.budget}) == found(database).spec
    with pytest.raises(StudyNotFound):
        studies.extend(database, "nobody", Budget(trials=1))


def test_delete_leaves_nothing_of_it(database: Database) -> None:
    """A deleted study leaves no row in any table, and the other studies all of theirs."""
    fill(database, "kept")
    before = rows(database.path, *OPTUNA_TABLES, *OUR_TABLES)
    assert all(before.values())
    fill(database, "gone")
    studies.delete(database, "gone")
    assert rows(database.path, *OPTUNA_TABLES, *OUR_TABLES) == before
    studies.delete(database, "kept")
    assert not any(rows(database.path, *OPTUNA_TABLES, *OUR_TABLES).values())


def test_prepare_sweeps_what_stock_optuna_left(database: Database) -> None:
    """Stock Optuna can delete a study of ours; the rows that it does not know go when the next owner starts."""
    fill(database, "kept")
    before = rows(database.path, *OPTUNA_TABLES, *OUR_TABLES)
    fill(database, "gone")
    with stock(database.path) as storage:
        optuna.delete_study(study_name="gone", storage=storage)
    assert rows(database.path, *OPTUNA_TABLES) == {table: before[table] for table in OPTUNA_TABLES}
    assert rows(database.path, *OUR_TABLES) != {table: before[table] for table in OUR_TABLES}
    studies.prepare(database)
    assert rows(database.path, *OPTUNA_TABLES, *OUR_TABLES) == before


def _text(path: Path) -> None:
    path.write_text("no database " * 100)


def _another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (id INTEGER)")


def _older_optuna(path: Path) -> None:
    prepared(path).close()
    execute(path, "UPDATE alembic_version SET version_num = 'v2.6.0.a'")


UNUSABLE: dict[Callable[[Path], None], str] = {
    _text: "file is not a database",
    _another_program: "another program",
    _older_optuna: "has Optuna's schema v2.6.0.a",
}


@pytest.mark.parametrize("make", UNUSABLE)
def test_what_cannot_be_ours_stays_as_it_is(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A file that is no database of ours is refused, and not a byte of it changes, nor do we put anything beside it."""
    path = tmp_path / "a.db"
    make(path)
    before = hashlib.sha256(path.read_bytes()).digest()
    with pytest.raises(StorageError, match=UNUSABLE[make]):
        studies.check_usable(path)
    assert hashlib.sha256(path.read_bytes()).digest() == before
    beside = {file.name for file in tmp_path.iterdir()} - {"a.db-shm", "a.db-wal"}  # which SQLite makes to read
    assert beside == {"a.db"}


def test_a_place_that_is_none_is_refused(tmp_path: Path) -> None:
    """A directory, and a file in a directory that is not there, are refused before anything is made."""
    with pytest.raises(StorageError, match="is a directory"):
        studies.check_usable(tmp_path)
    with pytest.raises(StorageError, match=f"there is no directory {tmp_path / 'missing'}"):
        studies.check_usable(tmp_path / "missing" / "a.db")
    assert list(tmp_path.iterdir()) == []


def test_a_place_without_permission_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the user may not write, the refusal names what cannot be written."""
    path = tmp_path / "a.db"
    path.touch()
    for forbidden in (tmp_path, path):
        monkeypatch.setattr("os.access", lambda place, _mode, forbidden=forbidden: place != forbidden)
        with pytest.raises(StorageError, match=f"{forbidden} cannot be written"):
            studies.check_usable(path)


def test_usable_places(database: Database, tmp_path: Path) -> None:
    """A new name, an empty file, a database of ours in use, and one of stock Optuna are fine."""
    (tmp_path / "empty.db").touch()
    RDBStorage(f"sqlite:///{tmp_path}/stock.db").engine.dispose()
    for path in (tmp_path / "new.db", tmp_path / "empty.db", tmp_path / "stock.db", database.path):
        studies.check_usable(path)
    assert not (tmp_path / "new.db").exists()


def test_an_owner_opens_what_is_usable(tmp_path: Path) -> None:
    """A new or empty file gets all tables, one of ours or of stock Optuna keeps what it has; others are refused."""
    (tmp_path / "empty.db").touch()
    with stock(tmp_path / "stock.db") as storage:
        optuna.create_study(study_name="theirs", storage=storage)
    for name, there in (("new.db", []), ("empty.db", []), ("stock.db", ["theirs"])):
        for again in (False, True):
            database = studies.open_database(tmp_path / name)
            if not again:
                studies.create(database, study_spec())
            database.close()
        kept = rows(tmp_path / name, "studies", "tunefast_studies")
        assert [row[1] for row in kept["studies"]] == [*there, STUDY]
        assert len(kept["tunefast_studies"]) == 1
    _another_program(tmp_path / "foreign.db")
    with pytest.raises(StorageError, match="another program"):
        studies.open_database(tmp_path / "foreign.db")


def test_prepare_refuses_a_foreign_database(tmp_path: Path) -> None:
    """Tables are made in a database of ours or in an empty one, in no other."""
    path = tmp_path / "a.db"
    _another_program(path)
    database = Database(path)
    with pytest.raises(StorageError, match="another program"):
        studies.prepare(database)
    database.close()
    assert rows(path, "sqlite_master")["sqlite_master"][0][1] == "bookmarks"
    assert len(rows(path, "sqlite_master")["sqlite_master"]) == 1


def test_a_copied_study_is_not_ours(database: Database) -> None:
    """A copy that stock Optuna makes has our uuid too, but is refused; the original is still found."""
    fill(database, STUDY)
    url = f"sqlite:///{database.path}"
    optuna.copy_study(from_study_name=STUDY, from_storage=url, to_storage=url, to_study_name="copy")
    with pytest.raises(StudyNotOurs):
        found(database, "copy")
    assert found(database).spec.study.name == STUDY


def test_a_renamed_study_is_found_by_its_new_name(database: Database) -> None:
    """A study that somebody renamed goes on under the new name."""
    fill(database, STUDY)
    execute(database.path, "UPDATE studies SET study_name = 'renamed'")
    assert found(database, "renamed").spec.study.name == "renamed"
