"""The connection that writes, and groups of rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.databases import execute, rows
from tunefast.errors import StorageError
from tunefast.store.database import Database, Group
from tunefast.store.prepared import Prepared

metadata = sa.MetaData()
marks = sa.Table(
    "marks",
    metadata,
    sa.Column("pupil", sa.Integer, primary_key=True),
    sa.Column("subject", sa.Integer, primary_key=True),
    sa.Column("mark", sa.Integer),
    sa.Column("note", sa.String),
)
KEY = ("pupil", "subject")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An open database with one table."""
    database = Database(tmp_path / "school.db")
    with database.transaction() as connection:
        metadata.create_all(connection)
    yield database
    database.close()


def write(database: Database, group: Group, living: set[int] | None = None) -> None:
    """Write the group, whole or of the living pupils only."""
    with database.transaction() as connection:
        group.write(connection, column="pupil", living={} if living is None else {marks: living})


def row(pupil: int, subject: int, mark: int) -> dict[str, int | str]:
    """A row as a group takes it."""
    return {"pupil": pupil, "subject": subject, "mark": mark, "note": f"{mark}!"}


@given(st.lists(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 9)), max_size=6), max_size=4))
@settings(max_examples=20)
def test_the_latest_row_of_a_key_stands(
    tmp_path_factory: pytest.TempPathFactory, groups: list[list[tuple[int, int, int]]]
) -> None:
    """Within a group and from one to the next, a row takes the place of the one with the same key."""
    database = Database(tmp_path_factory.mktemp("school") / "school.db")
    with database.transaction() as connection:
        metadata.create_all(connection)
    expected: dict[tuple[int, int], int] = {}
    for given_rows in groups:
        group = Group()
        for pupil, subject, mark in given_rows:
            group.add(marks, KEY, row(pupil, subject, mark))
            expected[pupil, subject] = mark
        write(database, group)
    database.close()
    assert rows(database.path, "marks")["marks"] == sorted((*key, mark, f"{mark}!") for key, mark in expected.items())


def test_only_the_living_are_written(database: Database) -> None:
    """Rows of the dead are left out, in the tables that are watched."""
    group = Group()
    for pupil in range(3):
        group.add(marks, KEY, row(pupil, 0, 1))
    write(database, group, living={0, 2})
    assert [pupil for pupil, *_ in rows(database.path, "marks")["marks"]] == [0, 2]
    write(database, group, living=set())
    write(database, group)
    assert [pupil for pupil, *_ in rows(database.path, "marks")["marks"]] == [0, 1, 2]


def test_updates_follow_the_inserts(database: Database) -> None:
    """An update finds the row that the same group inserts."""
    group = Group()
    better = Prepared(sa.update(marks).where(marks.c.pupil == sa.bindparam("of")), ("mark",))
    group.update(better, {"of": 1, "mark": 6})
    group.add(marks, KEY, row(1, 1, 2))
    write(database, group)
    assert rows(database.path, "marks")["marks"] == [(1, 1, 6, "2!")]


def test_a_group_knows_whether_it_is_empty() -> None:
    """A group with a row or an update is true."""
    empty, insert, update = Group(), Group(), Group()
    insert.add(marks, KEY, row(1, 1, 1))
    update.update(Prepared(sa.update(marks), ("mark",)), {"mark": 0})
    assert [bool(group) for group in (empty, insert, update)] == [False, True, True]


def test_a_transaction_that_raises_is_undone(database: Database) -> None:
    """What a block wrote is gone where it raises, and the next transaction works."""
    with pytest.raises(StorageError, match="UNIQUE"), database.transaction() as connection:
        connection.execute(sa.insert(marks), [row(1, 1, 1), row(1, 1, 2)])
    assert rows(database.path, "marks")["marks"] == []
    with database.transaction() as connection:
        connection.execute(sa.insert(marks).values(row(1, 1, 1)))
    assert len(rows(database.path, "marks")["marks"]) == 1


def test_sqlites_refusal_is_a_storage_error(database: Database) -> None:
    """What SQLite says is passed on with the file's name."""
    with pytest.raises(StorageError, match=r"school\.db: .*no such table"), database.transaction() as connection:
        connection.exec_driver_sql("SELECT * FROM nowhere")


def test_changes_from_outside_are_noticed_once(database: Database) -> None:
    """Other connections' commits are told from our own, and once each."""
    assert not database.changed_outside()
    with database.transaction() as connection:
        connection.execute(sa.insert(marks).values(row(1, 1, 1)))
    assert not database.changed_outside()
    execute(database.path, "UPDATE marks SET mark = 2")
    assert database.changed_outside()
    assert not database.changed_outside()
    with database.transaction():
        pass
    assert not database.changed_outside()


def test_close_leaves_one_file(database: Database) -> None:
    """A closed database is one file that can be copied."""
    with database.transaction() as connection:
        connection.execute(sa.insert(marks).values(row(1, 1, 1)))
    database.close()
    assert [path.name for path in database.path.parent.iterdir()] == ["school.db"]


def test_what_has_to_outlive_a_power_cut(database: Database) -> None:
    """A transaction waits for the disk, unless it is one that would be done again; the next one does again."""

    def waits(**options: bool) -> int:
        with database.transaction(**options) as connection:
            return int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())

    full, normal = 2, 1
    assert [waits(), waits(durable=False), waits(durable=False), waits()] == [full, normal, normal, full]
