"""tunefast's own tables, beside Optuna's in the same database.

Rows are keyed by the study's uuid, which is kept in a user attribute of the Optuna study. There is no foreign key into
Optuna's tables: with one, stock Optuna could no longer delete a study. What a deleted study leaves behind is swept when
a coordinator starts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

UUID_ATTRIBUTE = "tunefast:uuid"
"""User attribute of the Optuna study that holds the uuid."""

metadata = sa.MetaData()

studies = sa.Table(
    "tunefast_studies",
    metadata,
    sa.Column("uuid", sa.String(36), primary_key=True),
    sa.Column("spec", sa.JSON, nullable=False),
    sa.Column("active_seconds", sa.Float, nullable=False, default=0.0),
    sa.Column("slot_seconds", sa.Float),
    sa.Column("orders", sa.JSON),
)

attempts = sa.Table(
    "tunefast_attempts",
    metadata,
    sa.Column("study_uuid", sa.String(36), primary_key=True),
    sa.Column("trial", sa.Integer, primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("worker", sa.String(64), nullable=False),
    sa.Column("device", sa.String(32), nullable=False),
    sa.Column("threads", sa.Integer, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("provenance", sa.JSON, nullable=False),
    sa.Column("started_at", sa.DateTime, nullable=False),
    sa.Column("ended_at", sa.DateTime),
    sa.Column("ending", sa.String(32)),
    sa.Column("reason", sa.Text),
)

epochs = sa.Table(
    "tunefast_epochs",
    metadata,
    sa.Column("study_uuid", sa.String(36), primary_key=True),
    sa.Column("trial", sa.Integer, primary_key=True),
    sa.Column("epoch", sa.Integer, primary_key=True),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("metrics", sa.JSON, nullable=False),
    sa.Column("learning_rate", sa.Float),
    sa.Column("train_seconds", sa.Float, nullable=False),
    sa.Column("eval_seconds", sa.Float, nullable=False),
    sa.Column("steps", sa.Integer, nullable=False),
    sa.Column("samples", sa.Integer, nullable=False),
    sa.Column("peak_memory_bytes", sa.BigInteger),
    sa.Column("details", sa.JSON),
)

checkpoints = sa.Table(
    "tunefast_checkpoints",
    metadata,
    sa.Column("study_uuid", sa.String(36), primary_key=True),
    sa.Column("trial", sa.Integer, primary_key=True),
    sa.Column("epoch", sa.Integer, primary_key=True),
    sa.Column("num_bytes", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
)

KEYED = (attempts, epochs, checkpoints)
"""The tables with a ``study_uuid``."""


def create(connection: Connection) -> None:
    """Create the tables that are missing, and in those of an earlier tunefast the columns, which may be empty."""
    metadata.create_all(connection)
    for table in metadata.sorted_tables:
        present = columns(connection, table)
        for column in (column for column in table.columns if column.name not in present):
            kind = column.type.compile(connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind}")


def columns(connection: Connection, table: sa.Table) -> set[str]:
    """The names of the columns that `table` has in the database."""
    return {column["name"] for column in sa.inspect(connection).get_columns(table.name)}


def rows_of(connection: Connection, table: sa.Table, uuid: str) -> list[dict[str, Any]]:
    """A study's rows; a column that an earlier tunefast did not write is None."""
    present = columns(connection, table)
    known = [column for column in table.columns if column.name in present]
    wanted = sa.select(*(sa.type_coerce(each, sa.Text) if _is_json(each) else each for each in known))
    found = connection.execute(wanted.where(table.c.study_uuid == uuid).order_by(*table.primary_key)).all()
    parsed = [
        _decoded(values) if _is_json(column) else values
        for column, values in zip(known, zip(*found, strict=True), strict=False)
    ]
    names = [column.name for column in known]
    absent = dict.fromkeys(column.name for column in table.columns if column.name not in present)
    return [dict(zip(names, row, strict=True)) | absent for row in zip(*parsed, strict=True)]


def _is_json(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, sa.JSON)


def _decoded(texts: Iterable[str | None]) -> list[Any]:
    """What stands in a column of JSON, parsed at once: row by row it takes five times as long."""
    found: list[Any] = json.loads(f"[{','.join('null' if text is None else text for text in texts)}]")
    return found


def sweep(connection: Connection, living: list[str]) -> int:
    """Delete the rows of studies that are not among `living` uuids; returns how many studies that were."""
    gone = sa.select(studies.c.uuid).where(studies.c.uuid.not_in(living))
    uuids = list(connection.execute(gone).scalars())
    for table in KEYED:
        connection.execute(sa.delete(table).where(table.c.study_uuid.not_in(living)))
    connection.execute(sa.delete(studies).where(studies.c.uuid.in_(uuids)))
    return len(uuids)
