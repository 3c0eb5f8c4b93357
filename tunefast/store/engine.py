"""The SQLAlchemy engine of a database, and what every connection to it is told."""

from __future__ import annotations

import gc
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError

from tunefast.errors import DiskFull, StorageError
from tunefast.shell import command
from tunefast.store.prepared import driver_of

_PASSWORDS = (
    (re.compile(r"(//[^:/@]*:).*@"), r"\1***@"),
    (re.compile(r":(?!//|\*)\S*@"), ":***@"),
    (re.compile(r"([?&](?:password|passwd|pwd)=)[^&\s]*", re.IGNORECASE), r"\1***"),
)
"""Where passwords stand in URLs, also in those that are none."""
BUSY_SECONDS = 60
WRITER_BUSY_SECONDS = 2
"""The coordinator rather tries again than keeps everybody waiting."""
LONGEST_LOG_PAGES = 4000
"""Before a commit waits for a checkpoint; `tunefast.store.syncing` makes them earlier, where nobody waits."""


def database_path(storage: str) -> Path:
    """The absolute path of the SQLite file that the URL `storage` names.

    Raises `StorageError` where it is no URL, another database, or one in memory.
    """
    try:
        url = make_url(storage)
    except ArgumentError as error:
        raise StorageError(storage=redacted(storage), problem="is no database URL; write sqlite:///FILE.db") from error
    shown = redacted(storage)
    if url.get_backend_name() != "sqlite":
        raise StorageError(storage=shown, problem="only SQLite databases are supported; write sqlite:///FILE.db")
    if not url.database or url.database == ":memory:":
        raise StorageError(storage=shown, problem="the database must be a file; write sqlite:///FILE.db")
    return Path(url.database).resolve()


def redacted(text: str) -> str:
    """A text without the passwords of the URLs in it."""
    for pattern, hidden in _PASSWORDS:
        text = pattern.sub(hidden, text)
    return text


def writing_engine(path: Path) -> Engine:
    """An engine that creates the file if need be; write-ahead log, every commit on disk before it returns.

    Transactions begin with the write lock (``BEGIN IMMEDIATE``), so what one reads cannot change before it writes.
    Raises `StorageError` where the file cannot be written or is no database.
    """
    engine = sa.create_engine(file_url(path), connect_args={"timeout": WRITER_BUSY_SECONDS})
    event.listen(engine, "connect", _on_writing_connect)
    event.listen(engine, "begin", _on_writing_begin)
    with checked(path):
        engine.connect().close()
    return engine


def reading_engine(path: Path) -> Engine:
    """An engine that cannot change the file; all that one connection reads is of one moment.

    Raises `StorageError` where there is none, or it is no database.
    """
    if path.is_dir():
        raise StorageError(storage=path, problem="is a directory")
    if not path.is_file():
        create = command("study", "create", "FILE", storage=path)
        raise StorageError(storage=path, problem=f"there is no such database; create a study first: {create}")
    engine = sa.create_engine(read_only_url(path), connect_args={"timeout": BUSY_SECONDS}, poolclass=sa.NullPool)
    event.listen(engine, "connect", _on_reading_connect)
    event.listen(engine, "begin", _on_reading_begin)
    with checked(path), engine.connect() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
    return engine


def file_url(path: Path) -> URL:
    """The SQLAlchemy URL of the file at `path`, whatever signs its name has."""
    return URL.create("sqlite", database=str(path))


def read_only_url(path: Path) -> str:
    """The SQLAlchemy URL that opens `path` for reading only."""
    query = {"mode": "ro", "uri": "true"}
    return URL.create("sqlite", database=f"file:{quote(str(path))}", query=query).render_as_string()


@contextmanager
def checked(path: Path) -> Iterator[None]:
    """Turn SQLite's refusal of a damaged, foreign or read-only file into a `StorageError`."""
    try:
        yield
    except (DatabaseError, sqlite3.DatabaseError) as error:
        cause = getattr(error, "orig", None) or error
        code = getattr(cause, "sqlite_errorcode", None)
        if code is not None and code & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            raise DiskFull(storage=path, problem=str(cause)) from error
        raise StorageError(storage=path, problem=f"cannot be used as a database ({cause})") from error


@contextmanager
def collecting_later() -> Iterator[None]:
    """Without garbage collections: all that is read stays, and to look through it again and again takes long."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _on_writing_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint={LONGEST_LOG_PAGES}")


def _on_writing_begin(connection: Connection) -> None:
    driver_of(connection).execute("BEGIN IMMEDIATE")


def _on_reading_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None


def _on_reading_begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
