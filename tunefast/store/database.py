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
from tunefast.store.prepared import Prepared, driver_of
from tunefast.store.syncing import Syncing

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
        self.syncing = Syncing(path)
        self._seen_version = self.version

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[Connection]:
        """One transaction; on disk when the block is left, undone where it raises.

        One that is not `durable` outlives this process, but a power cut only with the next one that is, or once
        `syncing` has run: enough for what nobody was told so far, and would be done again in the same way.
        """
        with checked(self.path):
            self._set_durable(durable=durable)
            with self.syncing.writing, self._connection.begin():
                yield self._connection
        self.syncing.note_commit()

    def _set_durable(self, *, durable: bool) -> None:
        if durable != self._is_durable:
            driver_of(self._connection).execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._is_durable = durable

    def changed_outside(self) -> bool:
        """Whether another connection has committed anything since this was last asked."""
        version = self.version
        changed = version != self._seen_version
        self._seen_version = version
        return changed

    def close(self) -> None:
        """Close the connection and every file behind it."""
        self.syncing.close()
        self._connection.close()
        self._engine.dispose()

    @property
    def version(self) -> int:
        """A number that is another one as soon as another connection has committed anything."""
        with checked(self.path):
            return int(driver_of(self._connection).execute("PRAGMA data_version").fetchone()[0])


class Group:
    """Rows that wait to be written together: inserts that replace the row with the same unique key, then updates.

    A group is committed whole, so what a reader sees is always a prefix of what happened.
    """

    def __init__(self) -> None:
        self._rows: dict[tuple[sa.Table, tuple[str, ...]], list[Row]] = {}
        self._updates: list[tuple[Prepared, Row]] = []
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

    def update(self, statement: Prepared, row: Row) -> None:
        """Let `statement` be run with `row` after the inserts."""
        self._updates.append((statement, row))

    def write(self, connection: Connection, *, column: str, living: Mapping[sa.Table, set[Any]]) -> None:
        """Write all rows; those of the tables in `living` only where their `column` is among the values given there."""
        for table, row in self._cleared:
            if table not in living or row[column] in living[table]:
                _deleting(table, tuple(row)).run(connection, row)
        for (table, key), rows in self._rows.items():
            kept = [row for row in rows if table not in living or row[column] in living[table]]
            if kept:
                latest = {tuple(row[name] for name in key): row for row in kept}
                _upserting(table, key, tuple(kept[0])).run_all(connection, latest.values())
        for statement, row in self._updates:
            statement.run(connection, row)


@functools.cache
def _upserting(table: sa.Table, key: tuple[str, ...], columns: tuple[str, ...]) -> Prepared:
    statement = insert(table)
    updated = {name: statement.excluded[name] for name in columns if name not in key}
    return Prepared(statement.on_conflict_do_update(index_elements=key, set_=updated), columns)


@functools.cache
def _deleting(table: sa.Table, columns: tuple[str, ...]) -> Prepared:
    return Prepared(sa.delete(table).where(*(table.c[name] == sa.bindparam(name) for name in columns)))
