"""Chaos in short: the whole form is ``make chaos``."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import REPOSITORY


def test_all_promises_are_kept() -> None:
    """A study whose processes are killed and stopped comes to what it would have come to."""
    command = [sys.executable, "-m", "tests.chaos", "--seed", "7", "--budget", "40", "--storm-only"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all promises kept" in done.stdout
