"""Waiting for the disk in a thread of its own."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from tests.store.databases import execute, rows
from tunefast.errors import DiskFull
from tunefast.store import syncing
from tunefast.store.database import Database

SECONDS = 30


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An open database with a table of numbers."""
    database = Database(tmp_path / "numbers.db")
    with database.transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE numbers (number INTEGER)")
    yield database
    database.close()


def add(database: Database, number: int) -> None:
    """Commit a number without waiting for the disk."""
    with database.transaction(durable=False) as connection:
        connection.exec_driver_sql("INSERT INTO numbers VALUES (?)", (number,))


def test_what_is_committed_is_in_the_log_before_it_is_synced(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that lost its power right after the sync would find the number, and a sound database."""
    copy, found = tmp_path / "copy" / "numbers.db", []

    def sync(file: int) -> None:
        os.fdatasync(file)
        copy.parent.mkdir()
        subprocess.run(["cp", database.path, f"{database.path}-wal", copy.parent], check=True)  # keeps our locks
        found.extend(rows(copy, "numbers")["numbers"])

    monkeypatch.setattr(syncing, "_sync", sync)
    add(database, 7)
    assert database.syncing.sync() is None
    assert found == [(7,)]


def test_one_sync_is_for_all_that_wait(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks while the disk is at work is told after the next sync, all together, and in order."""
    at_work, go_on, told = threading.Semaphore(0), threading.Semaphore(0), SimpleQueue[int]()
    syncs = 0

    def sync(_file: int) -> None:
        nonlocal syncs
        syncs += 1
        at_work.release()
        assert go_on.acquire(timeout=SECONDS)

    monkeypatch.setattr(syncing, "_sync", sync)
    database.syncing.after(lambda _error: told.put(0))
    assert at_work.acquire(timeout=SECONDS)
    for number in range(1, 4):
        database.syncing.after(lambda _error, number=number: told.put(number))  # type: ignore[misc]
    assert told.empty()
    go_on.release(2)
    assert [told.get(timeout=SECONDS) for _ in range(4)] == [0, 1, 2, 3]
    assert syncs == 2


def test_a_disk_that_cannot_be_written(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits is told what is the matter, and again when it is asked again."""

    def sync(_file: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(syncing, "_sync", sync)
    told: SimpleQueue[DiskFull | None] = SimpleQueue()
    for _ in range(2):
        database.syncing.after(told.put)
        assert "numbers.db: cannot be written, the disk is full or broken (Input/output error)" in str(
            told.get(timeout=SECONDS)
        )


def test_closing_waits_for_what_was_asked_for(tmp_path: Path) -> None:
    """A database that is closed has told everybody, and leaves one file."""
    database = Database(tmp_path / "numbers.db")
    told: list[DiskFull | None] = []
    with database.transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE numbers (number INTEGER)")
    for number in range(2 * syncing.COMMITS_PER_CHECKPOINT):
        add(database, number)
        database.syncing.after(told.append)
    database.close()
    assert told == [None] * (2 * syncing.COMMITS_PER_CHECKPOINT)
    assert [path.name for path in tmp_path.iterdir()] == ["numbers.db"]
    assert len(rows(database.path, "numbers")["numbers"]) == len(told)


def test_the_log_stays_short(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is copied into the database now and then, and begins anew; nobody takes that for a change from outside."""
    monkeypatch.setattr(syncing, "COMMITS_PER_CHECKPOINT", 5)
    for number in range(60):
        add(database, number)
        told: SimpleQueue[DiskFull | None] = SimpleQueue()
        database.syncing.after(told.put)
        assert told.get(timeout=SECONDS) is None
    page = 4096
    assert Path(f"{database.path}-wal").stat().st_size < 20 * page
    assert not database.changed_outside()
    execute(database.path, "DELETE FROM numbers WHERE number > 2")
    assert database.changed_outside()


def test_a_checkpoint_that_fails_harms_nobody(database: Database) -> None:
    """What was committed is in the log all the same."""
    database.syncing._path = database.path.parent / "nowhere" / "numbers.db"
    for number in range(syncing.COMMITS_PER_CHECKPOINT):
        add(database, number)
    database.syncing._path = database.path
    assert database.syncing.sync() is None
    assert len(rows(database.path, "numbers")["numbers"]) == syncing.COMMITS_PER_CHECKPOINT


def test_the_log_is_not_copied_while_somebody_writes(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite up to 3.51.2 can damage a log that one connection resets while another copies it."""
    copied: SimpleQueue[str] = SimpleQueue()

    class Connection(sqlite3.Connection):
        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            copied.put(statement)
            return super().execute(statement, *values)

    connect = partial(sqlite3.connect, factory=Connection)
    monkeypatch.setattr("tunefast.store.syncing.sqlite3.connect", connect)
    monkeypatch.setattr(syncing, "COMMITS_PER_CHECKPOINT", 1)
    with database.transaction(durable=False) as connection:
        connection.exec_driver_sql("INSERT INTO numbers VALUES (1)")
        database.syncing.note_commit()
        with pytest.raises(Empty):
            copied.get(timeout=0.2)
    assert "wal_checkpoint" in copied.get(timeout=SECONDS)
