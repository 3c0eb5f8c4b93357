"""A process that is set up for training."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tunefast.train.process import SPIN_COUNT, yield_soon

PROGRAM = """
import resource, sys
from tunefast.train.process import keep_freed_memory
kept = keep_freed_memory() if sys.argv[1] == "keep" else False
def touch():
    block = bytearray(2**26)
    for place in range(0, 2**26, 4096):
        block[place] = 1
touch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
touch()
print(int(kept), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _run(mode: str) -> tuple[bool, int]:
    output = subprocess.run([sys.executable, "-c", PROGRAM, mode], capture_output=True, text=True, check=True).stdout
    kept, faults = map(int, output.split())
    return bool(kept), faults


def test_freed_blocks_are_taken_again_without_page_faults() -> None:
    """A large block that was freed comes back as it is; by default each of its pages is fetched anew."""
    _, by_default = _run("leave")
    kept, faults = _run("keep")
    if not kept:
        pytest.skip("this C library has no mallopt, or keeps freed memory its own way")
    assert faults < by_default / 10


def test_what_the_environment_says_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads yield soon unless the user set how long they look."""
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    yield_soon()
    assert "GOMP_SPINCOUNT" not in os.environ
    monkeypatch.delenv("OMP_WAIT_POLICY")
    yield_soon()
    assert os.environ["GOMP_SPINCOUNT"] == SPIN_COUNT
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    yield_soon()
    assert os.environ["GOMP_SPINCOUNT"] == "7"
