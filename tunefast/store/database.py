"""Database: the one connection through which its coordinator writes, and the groups it writes in."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import Connection

from tunefast.store.engine import checked, writing_engine

Row = Mapping[str, Any]


class StudyGone(Exception):
    """Somebody deleted the study meanwhile."""


class Database:
    """An open SQLite file. Only the process that holds its owner lock of `tunefast.store.ownership` makes one.

    Raises `StorageError` where the file cannot be written or is no database.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = writing_engine(path)
        self._connection = self._engine.connect()
        self._is_durable = True
        self._seen_version = self._data_version()

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[Connection]:
        """One transaction; on disk when the block is left, undone where it raises.

        One that is not `durable` outlives this process, but a power cut only with the next one that is: enough for what
        nobody was told, and would be done again in the same way.
        """
        with checked(self.path):
            if durable != self._is_durable:
                self._driver().execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
                self._is_durable = durable
            with self._connection.begin():
                yield self._connection

    def changed_outside(self) -> bool:
        """Whether another connection has committed anything since this was last asked."""
        version = self._data_version()
        changed = version != self._seen_version
        self._seen_version = version
        return changed

    def close(self) -> None:
        """Close the connection and every file behind it."""
        self._connection.close()
        self._engine.dispose()

    def _data_version(self) -> int:
        with checked(self.path):
            return int(self._driver().execute("PRAGMA data_version").fetchone()[0])

    def _driver(self) -> Any:
        driver = self._connection.connection.driver_connection
        if driver is None:
            raise RuntimeError("the database is closed")
        return driver


class Group:
    """Rows that wait to be written together: inserts that replace the row with the same unique key, then updates.

    A group is committed whole, so what a reader sees is always a prefix of what happened.
    """

    def __init__(self) -> None:
        self._rows: dict[tuple[sa.Table, tuple[str, ...]], list[Row]] = {}
        self._updates: list[sa.Update] = []
        self._cleared: list[tuple[sa.Table, Row]] = []

    def __bool__(self) -> bool:
        return bool(self._rows) or bool(self._updates) or bool(self._cleared)

    def clear(self, table: sa.Table, row: Row) -> None:
        """Let the rows that are equal to `row` in its columns be deleted, before anything is written."""
        self._cleared.append((table, row))
        for (other, _), rows in self._rows.items():
            if other is table:
                rows[:] = [kept for kept in rows if any(kept[name] != value for name, value in row.items())]

    def add(self, table: sa.Table, key: tuple[str, ...], row: Row) -> None:
        """Let `row` be written into `table`, in place of a row that is equal in the columns of `key`."""
        self._rows.setdefault((table, key), []).append(row)

    def update(self, statement: sa.Update) -> None:
        """Let `statement` be run after the inserts."""
        self._updates.append(statement)

    def write(self, connection: Connection, *, column: str, living: Mapping[sa.Table, set[Any]]) -> None:
        """Write all rows; those of the tables in `living` only where their `column` is among the values given there."""
        for table, row in self._cleared:
            if table not in living or row[column] in living[table]:
                connection.execute(sa.delete(table).where(*(table.c[name] == value for name, value in row.items())))
        for (table, key), rows in self._rows.items():
            kept = [row for row in rows if table not in living or row[column] in living[table]]
            if kept:
                _upsert(connection, table, key, kept)
        for statement in self._updates:
            connection.execute(statement)


def _upsert(connection: Connection, table: sa.Table, key: tuple[str, ...], rows: list[Row]) -> None:
    latest = {tuple(row[name] for name in key): row for row in rows}
    connection.execute(_upserting(table, key, tuple(rows[0])), list(latest.values()))


@functools.cache
def _upserting(table: sa.Table, key: tuple[str, ...], columns: tuple[str, ...]) -> sa.Insert:
    """The statement is made once: making it takes longer than running it."""
    statement = insert(table)
    updated = {name: statement.excluded[name] for name in columns if name not in key}
    return statement.on_conflict_do_update(index_elements=key, set_=updated)
