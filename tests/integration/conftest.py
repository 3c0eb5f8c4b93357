"""Fixtures of the tests that start real processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.processes import Terminal


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A fresh working directory, with its own directory for sockets, so that nothing of it outlives the test."""
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    return Terminal(tmp_path, {"XDG_RUNTIME_DIR": str(runtime)})
