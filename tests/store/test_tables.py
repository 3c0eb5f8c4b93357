"""tunefast's own tables."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from tests.store.databases import OUR_TABLES, execute, prepared, rows
from tunefast.store import tables
from tunefast.store.database import Database


def test_no_foreign_key_keeps_optuna_from_deleting() -> None:
    """Our tables have names of their own, and none of them holds on to Optuna's."""
    assert set(tables.metadata.tables) == set(OUR_TABLES)
    assert not any(table.foreign_keys for table in tables.metadata.tables.values())
    assert {table.name for table in tables.KEYED} == {
        table.name for table in tables.metadata.tables.values() if "study_uuid" in table.columns
    }


def test_sweep_deletes_what_belongs_to_nobody(database: Database) -> None:
    """Rows stay with the studies that live, and only those; also rows whose study's own row is gone already."""
    attempt = "'w1', 'cpu', 1, 0, '{}', '2026-01-01 00:00:00', NULL, NULL, NULL"
    for uuid in ("alive", "dead", "orphan"):
        execute(
            database.path,
            f"INSERT INTO tunefast_epochs VALUES ('{uuid}', 0, 1, 1, '{{}}', NULL, 0, 0, 0, 0, NULL, NULL)",  # noqa: S608
            f"INSERT INTO tunefast_attempts VALUES ('{uuid}', 0, 1, {attempt})",  # noqa: S608
        )
    execute(
        database.path, "INSERT INTO tunefast_studies VALUES ('alive', '{}', 0, 0, NULL), ('dead', '{}', 0, 0, '{}')"
    )
    with database.transaction() as connection:
        assert tables.sweep(connection, ["alive", "without rows"]) == 1
    assert {row[0] for content in rows(database.path, *OUR_TABLES).values() for row in content} == {"alive"}
    with database.transaction() as connection:
        assert tables.sweep(connection, []) == 1
    assert not any(rows(database.path, *OUR_TABLES).values())


def test_columns_of_an_earlier_version_are_added(tmp_path: Path) -> None:
    """A database whose epochs have no details gets the column from its owner, and loses no row."""
    path = tmp_path / "store.db"
    prepared(path).close()
    execute(
        path,
        "ALTER TABLE tunefast_epochs DROP COLUMN details",
        "ALTER TABLE tunefast_studies DROP COLUMN slot_seconds",
        "ALTER TABLE tunefast_studies DROP COLUMN orders",
        "INSERT INTO tunefast_studies VALUES ('alive', '{}', 0)",
        "INSERT INTO tunefast_epochs VALUES ('alive', 0, 1, 1, '{\"score\": 0.5}', NULL, 0, 0, 0, 0, NULL)",
    )
    before = rows(path, "tunefast_epochs")["tunefast_epochs"]
    database = Database(path)
    with database.transaction() as connection:
        assert "details" not in tables.columns(connection, tables.epochs)
        for _ in range(2):
            tables.create(connection)
            assert tables.columns(connection, tables.epochs) == set(tables.epochs.columns.keys())
    database.close()
    assert rows(path, "tunefast_epochs")["tunefast_epochs"] == [(*row, None) for row in before]


def test_only_columns_that_may_be_empty_can_be_added() -> None:
    """What is added to rows that are there has no value in them, so the columns of a later version are nullable."""
    assert tables.epochs.columns.details.nullable
    assert tables.studies.columns.slot_seconds.nullable
    assert tables.studies.columns.orders.nullable


def test_a_study_has_a_row_per_epoch(database: Database) -> None:
    """An epoch of a trial has one row, whichever attempt ran it; an attempt has one too."""
    inspector = sa.inspect(database._connection)
    keys = {table: inspector.get_pk_constraint(table)["constrained_columns"] for table in OUR_TABLES}
    assert keys == {
        "tunefast_studies": ["uuid"],
        "tunefast_attempts": ["study_uuid", "trial", "attempt"],
        "tunefast_epochs": ["study_uuid", "trial", "epoch"],
        "tunefast_checkpoints": ["study_uuid", "trial", "epoch"],
    }
    database._connection.rollback()
