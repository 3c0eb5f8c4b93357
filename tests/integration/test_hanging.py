"""Processes that are stopped, rather than killed."""

from __future__ import annotations

import os
import signal
import time

from tests.integration.processes import Terminal, ended, wait_until
from tests.integration.specs import objective

LEASE = "[trial]\nlease_seconds = 1.5\n"


def test_a_stopped_worker_is_replaced(terminal: Terminal) -> None:
    """A worker that is stopped loses its trial to another attempt, and is gone afterwards; the study ends as asked."""
    spec = str(terminal.write("s.toml", objective("stuck", "paced", 3, pause=0.5, extra=LEASE)))
    with terminal.started("study", "run", spec, "-n", "1") as run:
        wait_until(lambda: "running" in terminal.counts("stuck"), "a trial runs")
        stopped = int(terminal.json("worker", "list")["workers"][0]["pid"])
        os.kill(stopped, signal.SIGSTOP)
        output = ended(run, 0)
    assert "its worker was silent for 1.5 s; another one takes it up" in output
    study = terminal.study("stuck")
    assert study.counts == {"complete": 3}
    assert max(row["attempt"] for row in study.attempts) == 2
    assert not os.path.exists(f"/proc/{stopped}")  # noqa: PTH110 - of a process


def test_a_stopped_coordinator_harms_nobody(terminal: Terminal) -> None:
    """A coordinator that stands still for longer than a lease goes on with every trial where it is."""
    spec = str(terminal.write("s.toml", objective("still", "paced", 6, pause=0.8, extra=LEASE)))
    with terminal.started("study", "run", spec, "-n", "2") as run:
        wait_until(lambda: "running" in terminal.counts("still"), "a trial runs")
        coordinator = int(terminal.json("worker", "list")["coordinator"])
        os.kill(coordinator, signal.SIGSTOP)
        time.sleep(3)
        os.kill(coordinator, signal.SIGCONT)
        ended(run, 0)
    study = terminal.study("still")
    assert study.counts == {"complete": 6}
    assert {row["attempt"] for row in study.attempts} == {1}
