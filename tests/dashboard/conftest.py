"""What the tests of the dashboard share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.store.databases import mirrored, prepared, study_spec, write_everything
from tunefast.store import studies


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a study that has one complete trial and one that runs."""
    path = tmp_path / "studies.db"
    database = prepared(path)
    studies.create(database, study_spec())
    storage = mirrored(database)
    write_everything(storage, storage.create_new_trial(storage.study_id))
    storage.create_new_trial(storage.study_id)
    storage.flush()
    database.close()
    return path
