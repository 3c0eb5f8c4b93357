"""How busy a process is, by what the kernel counts."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from tests.integration.processes import wait_until
from tunefast.run.cpu_time import CpuUse, cpu_seconds

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has /proc")


def _spin(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_what_a_process_used() -> None:
    """The seconds of CPU are those that the process itself counts, to a few of the kernel's ticks."""
    before, counted = cpu_seconds(os.getpid()), time.process_time()
    _spin(0.2)
    after, spent = cpu_seconds(os.getpid()), time.process_time() - counted
    assert before is not None
    assert after is not None
    assert after - before == pytest.approx(spent, abs=0.05)


def test_what_it_started_counts() -> None:
    """A program that a worker's guard runs is the worker's work, also while it runs; nobody is what has ended."""
    command = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"
    with subprocess.Popen([sys.executable, "-c", command], start_new_session=True) as process:
        try:
            wait_until(lambda: (cpu_seconds(process.pid) or 0.0) > 0.5, "its child has spun")
        finally:
            os.killpg(process.pid, 9)
    assert cpu_seconds(process.pid) is None


def test_a_share_of_its_cores() -> None:
    """Two looks tell the share of its cores that a process used between them; one look tells nothing."""
    use = CpuUse(os.getpid())
    use.look(10.0, cores=2)
    assert use.share is None
    _spin(0.4)
    use.look(11.0, cores=2)
    assert use.share == pytest.approx(0.2, abs=0.05)
