"""Engines: which URLs are taken, what every connection is told, and what a reader cannot do."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from optuna.storages import RDBStorage

from tests.store.databases import execute, prepared, study_spec
from tunefast.errors import StorageError
from tunefast.store import studies
from tunefast.store.database import Database
from tunefast.store.engine import checked, database_path, read_only_url, reading_engine, redacted, writing_engine
from tunefast.store.snapshot import study_names

REFUSED = {
    "tunefast.db": "is no database URL",
    "": "is no database URL",
    "postgresql://user@host/db": "only SQLite",
    "mysql+pymysql://host/db": "only SQLite",
    "sqlite://": "must be a file",
    "sqlite:///:memory:": "must be a file",
}


@pytest.mark.parametrize("url", REFUSED)
def test_urls_that_name_no_file_are_refused(url: str) -> None:
    """What is no URL, another database or one in memory is refused, with what to write instead."""
    with pytest.raises(StorageError, match=REFUSED[url]) as raised:
        database_path(url)
    assert "write sqlite:///FILE.db" in str(raised.value)


def test_a_refusal_hides_the_password() -> None:
    """A password in a URL is not repeated."""
    with pytest.raises(StorageError) as raised:
        database_path("postgresql://user:hunter2@host/db")
    assert "hunter2" not in str(raised.value)


def test_a_url_names_an_absolute_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Three slashes are relative to the working directory, four are absolute."""
    monkeypatch.chdir(tmp_path)
    assert database_path("sqlite:///a/b.db") == tmp_path / "a" / "b.db"
    assert database_path("sqlite:////a/b.db") == Path("/a/b.db")


def test_every_commit_is_on_disk_before_it_returns(tmp_path: Path) -> None:
    """The write-ahead log is on, and every commit is synced (2 is FULL)."""
    engine = writing_engine(tmp_path / "a.db")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    engine.dispose()


def test_a_transaction_begins_with_the_write_lock(tmp_path: Path) -> None:
    """From the first moment of our transaction nobody else can begin to write, so what it reads stays so."""
    path = tmp_path / "a.db"
    engine = writing_engine(path)
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other, engine.connect() as connection:
        with connection.begin(), pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.execute("BEGIN IMMEDIATE")
    engine.dispose()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    """SQLite itself refuses what a reader might write, and the file stays as it is."""
    path = tmp_path / "a.db"
    execute(path, "CREATE TABLE t (x)")
    before = hashlib.sha256(path.read_bytes()).digest()
    with reading_engine(path).connect() as connection:
        for statement in ("INSERT INTO t VALUES (1)", "DROP TABLE t", "CREATE TABLE u (x)"):
            with pytest.raises(sa.exc.OperationalError, match="readonly"):
                connection.exec_driver_sql(statement)
    assert hashlib.sha256(path.read_bytes()).digest() == before


def test_a_reader_sees_one_moment(tmp_path: Path) -> None:
    """All that one connection reads is of one moment, whatever is written meanwhile."""
    database = prepared(tmp_path / "a.db")
    count = sa.text("SELECT count(*) FROM studies")
    reader = reading_engine(database.path)
    with reader.connect() as connection:
        assert connection.execute(count).scalar() == 0
        studies.create(database, study_spec())
        assert connection.execute(count).scalar() == 0
    with reader.connect() as connection:
        assert connection.execute(count).scalar() == 1
    database.close()


def test_a_reader_wants_a_database(tmp_path: Path) -> None:
    """A missing file is not made by reading it, and one of another kind is refused."""
    missing, text = tmp_path / "missing.db", tmp_path / "notes.txt"
    text.write_text("no database " * 100)
    with pytest.raises(StorageError, match="there is no such database"):
        reading_engine(missing)
    assert not missing.exists()
    with pytest.raises(StorageError, match="is a directory"):
        reading_engine(tmp_path)
    with pytest.raises(StorageError, match="file is not a database"):
        reading_engine(text)
    with pytest.raises(StorageError, match="file is not a database"):
        writing_engine(text)


def test_checked_passes_other_errors_on(tmp_path: Path) -> None:
    """Only SQLite's refusals become storage errors."""
    with pytest.raises(KeyError), checked(tmp_path):
        raise KeyError
    with pytest.raises(StorageError, match=r"cannot be used as a database \(boom\)"), checked(tmp_path):
        raise sqlite3.DatabaseError("boom")


@pytest.mark.parametrize("name", ["50% a%20b", "what? #{x} ünï"])
def test_any_name_will_do(tmp_path: Path, name: str) -> None:
    """Readers, writers and stock Optuna open the same file, whatever signs are in its path."""
    path = tmp_path / name / f"{name}.db"
    path.parent.mkdir()
    database = Database(path)
    studies.prepare(database)
    studies.create(database, study_spec())
    assert study_names(path) == {"study": True}
    reader = RDBStorage(read_only_url(path), skip_compatibility_check=True, skip_table_creation=True)
    assert [study.study_name for study in reader.get_all_studies()] == ["study"]
    reader.remove_session()
    reader.engine.dispose()
    database.close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://me:SECRET@host/db",
        "postgresql://me:SECRET@SECRET:x@host/db",
        "mysql://me:SECRET SECRET@host/db: cannot be read (OperationalError: no)",
        "postgresql//me:SECRET@host",
        "postgresql://host/db?user=me&password=SECRET&sslmode=require",
    ],
)
def test_passwords_are_hidden(text: str) -> None:
    """In URLs, in what only looks like one, and in texts around them; the host stays to be read."""
    shown = redacted(text)
    assert "SECRET" not in shown
    assert "***" in shown
    assert "host" in shown


def test_nothing_else_is_hidden() -> None:
    """Files, ports and times stay as they are."""
    for text in ("sqlite:////home/me/a.db", "sqlite:///tunefast.db: is a directory", "at 12:30, host:5432/x"):
        assert redacted(text) == text
