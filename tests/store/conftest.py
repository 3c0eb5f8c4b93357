"""What the tests of the store share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.databases import mirrored, prepared, study_spec
from tunefast.store import studies
from tunefast.store.database import Database
from tunefast.store.trials import MirroredStorage


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An open database with all tables and no study."""
    database = prepared(tmp_path / "store.db")
    yield database
    database.close()


@pytest.fixture
def storage(database: Database) -> MirroredStorage:
    """The live copy of the database's only study."""
    studies.create(database, study_spec())
    return mirrored(database)
