"""Stopping a run, and going on."""

from __future__ import annotations

import os
import signal

import pytest

from tests.integration.processes import Terminal, ended, kill, listen, wait_until
from tests.integration.specs import objective


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_cleanly_and_the_same_command_goes_on(terminal: Terminal, number: int, code: int) -> None:
    """A signal leaves no failed trial and says how to go on; the same command then ends the study exactly."""
    spec = str(terminal.write("s.toml", objective("night", "paced", 8, pause=0.2)))
    with terminal.started("study", "run", spec, "-n", "2") as run:
        wait_until(lambda: terminal.counts("night").get("complete", 0) >= 2, "two trials are complete")
        os.kill(run.pid, number)
        output = ended(run, code)
    assert "tunefast study run night" in output
    assert set(terminal.study("night").counts) <= {"complete", "waiting"}
    waited = [row["reason"] for row in terminal.study("night").attempts if row["ending"] == "paused"]
    assert set(waited) <= {"its worker was stopped"}
    terminal.tunefast("study", "run", spec, "-n", "2")
    assert terminal.study("night").counts == {"complete": 8}


def test_a_second_signal_leaves_at_once(terminal: Terminal) -> None:
    """With an epoch that takes long, the second Ctrl-C does not wait for its end; no trial is failed by it."""
    spec = str(terminal.write("s.toml", objective("long", "paced", 2, pause=60)))
    with terminal.started("study", "run", spec, "-n", "1") as run:
        wait_until(lambda: "running" in terminal.counts("long"), "a trial runs")
        os.kill(run.pid, signal.SIGINT)
        listen(run, "once more to stop at once")
        os.kill(run.pid, signal.SIGINT)
        ended(run, 130)
    assert terminal.counts("long") == {"waiting": 1}


def test_a_killed_command_leaves_no_process_behind(terminal: Terminal) -> None:
    """SIGKILL of the command ends its workers and its coordinator too, and the study goes on afterwards."""
    spec = str(terminal.write("s.toml", objective("killed", "paced", 4, pause=0.1)))
    with terminal.started("study", "run", spec, "-n", "2") as run:
        wait_until(lambda: "running" in terminal.counts("killed"), "a trial runs")
        kill(run.pid)
    wait_until(lambda: terminal.json("worker", "list")["coordinator"] is None, "the coordinator has left")
    assert not list((terminal.directory / "run" / "tunefast").glob("*.sock"))
    terminal.tunefast("study", "run", spec, "-n", "2")
    assert terminal.study("killed").counts == {"complete": 4}


def test_processes_that_are_ended_one_by_one(terminal: Terminal) -> None:
    """SIGTERM to a worker pauses its trial, to the coordinator lets another one take over; neither fails a trial.

    The study was paused, and stays it until it is told to go on.
    """
    spec = str(terminal.write("s.toml", objective("ended", "paced", 4, epochs=40, pause=0.1)))
    with terminal.started("study", "run", spec, "-n", "1") as run:
        wait_until(lambda: bool(terminal.counts("ended")) and terminal.study("ended").epochs != [], "an epoch ended")
        os.kill(int(terminal.json("worker", "list")["workers"][0]["pid"]), signal.SIGTERM)
        wait_until(lambda: terminal.study("ended").counts.get("complete", 0) >= 2, "two trials are complete")
        terminal.tunefast("study", "pause", "ended")
        os.kill(int(terminal.json("worker", "list")["coordinator"]), signal.SIGTERM)
        listen(run, "another one takes over")
        wait_until(lambda: len(terminal.json("worker", "list")["workers"]) == 1, "its worker is back")
        assert terminal.json("study", "resume", "ended") == {"study": "ended", "was_paused": True}
        ended(run, 0)
    study = terminal.study("ended")
    assert study.counts == {"complete": 4}
    assert "its worker was asked to end" in {row["reason"] for row in study.attempts}
