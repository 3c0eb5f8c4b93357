"""Fixtures of the tests that start real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.processes import REPOSITORY, Terminal
from tests.integration.zygote import Zygote


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """What commands are forked from."""
    made = Zygote(REPOSITORY)
    yield made
    made.close()


@pytest.fixture
def terminal(tmp_path: Path, zygote: Zygote) -> Terminal:
    """A fresh working directory, with its own directory for sockets, so that nothing of it outlives the test."""
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    return Terminal(tmp_path, {"XDG_RUNTIME_DIR": str(runtime)}, zygote)
