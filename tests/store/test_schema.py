"""Which databases are taken."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from optuna.storages import RDBStorage

from tests.store.databases import OPTUNA_TABLES, execute, prepared, rows, stock
from tunefast.errors import StorageError
from tunefast.store import schema
from tunefast.store.database import Database
from tunefast.store.reading import ReadingStorage
from tunefast.store.schema import check_schema, create_file, create_schema
from tunefast.store.snapshot import snapshot, study_names


def checked(database: Database) -> None:
    """Check the open database."""
    with database.transaction() as connection:
        check_schema(connection, database.path)


def test_an_empty_database_is_taken_and_gets_optunas_tables(tmp_path: Path) -> None:
    """A new file is fine before and after stock Optuna's tables are made in it, twice as well as once."""
    database = Database(tmp_path / "a.db")
    checked(database)
    create_schema(database)
    checked(database)
    create_schema(database)
    assert all(content == [] for content in rows(database.path, *OPTUNA_TABLES).values())
    with stock(database.path) as storage:
        assert storage.get_all_studies() == []
        assert storage.get_current_version() == storage.get_head_version()
    database.close()


@pytest.mark.parametrize("known", [schema.KNOWN, {}])
def test_the_schema_is_that_of_the_optuna_installed(monkeypatch: pytest.MonkeyPatch, known: dict[str, str]) -> None:
    """What is known of a version is what Optuna itself says, and what is not known is asked."""
    monkeypatch.setattr(schema, "KNOWN", known)
    assert schema._wanted_schema.__wrapped__() == RDBStorage("sqlite://").get_head_version()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            "UPDATE alembic_version SET version_num = 'v2.6.0.a'",
            "has Optuna's schema v2.6.0.a, and this Optuna wants v",
        ),
        ("DELETE FROM alembic_version", "has Optuna's schema None"),
        ("DROP TABLE alembic_version", "another program"),
        ("DROP TABLE studies", "another program"),
    ],
)
def test_another_schema_is_refused(tmp_path: Path, change: str, problem: str) -> None:
    """A database of another Optuna, or of another program, is refused by its name."""
    database = prepared(tmp_path / "a.db")
    checked(database)
    execute(database.path, change)
    with pytest.raises(StorageError, match=problem) as raised:
        checked(database)
    assert str(raised.value).startswith(f"{database.path}: ")
    database.close()


def test_another_programs_database_is_not_read(tmp_path: Path) -> None:
    """Who reads is told whose it is, the dashboard too, and the file stays as it was; one without tables is empty."""
    path = tmp_path / "a.db"
    execute(path, "CREATE TABLE cats (name)")
    before = path.read_bytes()
    for read in (study_names, lambda path: snapshot(path, "s"), ReadingStorage):
        with pytest.raises(StorageError, match=r"a\.db: is a database of another program"):
            read(path)
    assert path.read_bytes() == before
    (tmp_path / "empty.db").touch()
    assert study_names(tmp_path / "empty.db") == {}


def test_a_file_is_made_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody ever sees a half-made database, and where making it fails nothing is left."""
    path = tmp_path / "a.db"
    make = schema._create_tables

    def watched(new: Path) -> None:
        make(new)
        assert not path.exists()

    monkeypatch.setattr(schema, "_create_tables", watched)
    create_file(path)
    assert [file.name for file in tmp_path.iterdir()] == ["a.db"]
    with stock(path) as storage:
        assert storage.get_all_studies() == []

    def full(new: Path) -> None:
        make(new)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(schema, "_create_tables", full)
    with pytest.raises(StorageError, match=r"b\.db: cannot be written \(No space left on device\)"):
        create_file(tmp_path / "b.db")
    assert [file.name for file in tmp_path.iterdir()] == ["a.db"]
