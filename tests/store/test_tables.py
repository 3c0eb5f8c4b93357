"""tunefast's own tables."""

from __future__ import annotations

import sqlalchemy as sa

from tests.store.databases import OUR_TABLES, execute, rows
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
            f"INSERT INTO tunefast_epochs VALUES ('{uuid}', 0, 1, 1, '{{}}', NULL, 0, 0, 0, 0, NULL)",  # noqa: S608
            f"INSERT INTO tunefast_attempts VALUES ('{uuid}', 0, 1, {attempt})",  # noqa: S608
        )
    execute(database.path, "INSERT INTO tunefast_studies VALUES ('alive', '{}', 0), ('dead', '{}', 0)")
    with database.transaction() as connection:
        assert tables.sweep(connection, ["alive", "without rows"]) == 1
    assert {row[0] for content in rows(database.path, *OUR_TABLES).values() for row in content} == {"alive"}
    with database.transaction() as connection:
        assert tables.sweep(connection, []) == 1
    assert not any(rows(database.path, *OUR_TABLES).values())


def test_a_study_has_a_row_per_epoch(database: Database) -> None:
    """An epoch of a trial has one row, whichever attempt ran it; an attempt has one too."""
    inspector = sa.inspect(database._connection)
    keys = {table: inspector.get_pk_constraint(table)["constrained_columns"] for table in OUR_TABLES}
    assert keys == {
        "tunefast_studies": ["uuid"],
        "tunefast_attempts": ["study_uuid", "trial", "attempt"],
        "tunefast_epochs": ["study_uuid", "trial", "epoch"],
    }
    database._connection.rollback()
