"""Statements as SQLite's driver takes them, compiled once: SQLAlchemy takes longer to run one than SQLite does."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Connection

_DIALECT = sqlite.dialect()


class Prepared:
    """A statement that is run often, with a row of values each time; the rows' values are as SQLAlchemy takes them."""

    def __init__(self, statement: sa.Insert | sa.Update | sa.Delete, columns: Sequence[str] | None = None) -> None:
        """`columns` are those that an insert fills, where it names none itself."""
        compiled: Any = statement.compile(dialect=_DIALECT, column_keys=columns)
        self._text = str(compiled)
        kinds = [(name, compiled.binds[name].type.dialect_impl(_DIALECT)) for name in compiled.positiontup]
        self._columns = [(name, kind.bind_processor(_DIALECT)) for name, kind in kinds]

    def run(self, connection: Connection, row: Mapping[str, Any]) -> sqlite3.Cursor:
        """Run it with one row, in the transaction that `connection` is in."""
        return driver_of(connection).execute(self._text, self._values(row))

    def run_all(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run it with each of the rows, in the transaction that `connection` is in."""
        driver_of(connection).executemany(self._text, [self._values(row) for row in rows])

    def _values(self, row: Mapping[str, Any]) -> list[Any]:
        return [row[name] if process is None else process(row[name]) for name, process in self._columns]


def driver_of(connection: Connection) -> sqlite3.Connection:
    """SQLite's own connection behind one of SQLAlchemy's."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        raise TypeError("the database is closed")
    return driver
