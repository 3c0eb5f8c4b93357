"""What the tests of the processes share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest

from tests.store.databases import prepared
from tunefast.search import running
from tunefast.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An open database with all tables and no study."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    database = prepared(tmp_path / "run.db")
    yield database
    database.close()


@pytest.fixture(autouse=True)
def no_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials whose attempts got nowhere do not wait."""
    monkeypatch.setattr(running, "BACK_OFF_SECONDS", 0.0)
