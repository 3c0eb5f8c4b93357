"""What the tests of the processes share."""

from __future__ import annotations

import tempfile
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


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory for sockets, with a path short enough for them."""
    with tempfile.TemporaryDirectory(prefix="tf") as directory:
        monkeypatch.setenv("XDG_RUNTIME_DIR", directory)
        yield Path(directory)


@pytest.fixture(autouse=True)
def no_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials whose attempts got nowhere do not wait."""
    monkeypatch.setattr(running, "BACK_OFF_SECONDS", 0.0)
