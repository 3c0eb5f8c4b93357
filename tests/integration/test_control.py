"""Telling a study that is being worked on to wait, go on, stop, or give a slot back."""

from __future__ import annotations

import signal

from tests.integration.processes import Terminal, ended, kill, wait_until
from tests.integration.specs import digits
from tunefast.run.commands import list_workers

EPOCHS = 2000
"""So many that no trial ends by itself, however fast the machine is."""


def _slow(terminal: Terminal, trials: int) -> None:
    """A study whose epochs last, and whose trials end when they are told to."""
    text = digits("s", "random", trials, EPOCHS).replace("median", "none")
    text = text.replace(", warmup_epochs = 1, startup_trials = 2", "").replace("width = 32", "width = 2000, depth = 2")
    terminal.write("s.toml", text)


def _epochs(terminal: Terminal) -> int:
    return len(terminal.study("s").epochs) if terminal.counts("s") else 0


def _num_workers(terminal: Terminal) -> int:
    return len(list_workers(terminal.database)["workers"])


def test_paused_resumed_and_stopped(terminal: Terminal) -> None:
    """From another terminal a study waits and goes on, one trial ends, and then all of it stops, to be gone on with."""
    _slow(terminal, 4)
    with terminal.started("study", "run", "s.toml", "-n", "1") as run:
        wait_until(lambda: _epochs(terminal) > 1, "two epochs ended")
        said = terminal.tunefast("study", "pause", "s").stdout
        assert said == (
            "Study s is paused; 1 trial trains until the end of the epoch. Go on: tunefast study resume s\n"
        )
        wait_until(lambda: terminal.study("s").attempts[0]["ending"] == "paused", "the trial waits")
        waiting = _epochs(terminal)
        (row,) = terminal.json("study", "list")
        assert (row["paused"], row["trials"]) == (True, {"waiting": 1})
        assert "paused: 1 waiting" in terminal.tunefast("study", "list").stdout
        shown = terminal.tunefast("study", "show", "s").stdout
        assert "s: paused, 1 waiting;" in shown
        assert "It is paused; go on: tunefast study resume s" in shown
        extended = terminal.tunefast("study", "extend", "s", "--trials", "5").stdout
        assert extended.endswith("It is paused; go on: tunefast study resume s\n")
        assert list_workers(terminal.database)["workers"][0]["trial"] is None
        assert terminal.json("study", "resume", "s") == {"study": "s", "was_paused": True}
        wait_until(lambda: _epochs(terminal) > waiting, "it goes on")
        assert "Trial 0 of s ends now." in terminal.tunefast("study", "stop", "s", "--trial", "0").stdout
        wait_until(lambda: terminal.counts("s").get("pruned", 0) == 1, "the trial has ended")
        wait_until(lambda: any(row["trial"] == 1 for row in terminal.study("s").epochs), "the next one trains")
        assert "stops after this epoch. Go on: tunefast study run s" in terminal.tunefast("study", "stop", "s").stdout
        assert "tunefast study run s" in ended(run, 143)
    (row,) = terminal.json("study", "list")
    assert (row["paused"], row["trials"]) == (False, {"pruned": 1, "waiting": 1})
    study = terminal.study("s")
    assert study.trial(0).user_attrs["reason"] == "stopped by hand"
    assert study.trial(1).state.name == "RUNNING"
    assert "nobody works on study 's'" in terminal.tunefast("study", "pause", "s", code=2).stderr
    assert "study 'x'" in terminal.tunefast("study", "stop", "x", code=2).stderr


def test_a_slot_is_given_back(terminal: Terminal) -> None:
    """One of two workers goes, and is not replaced; the last one takes the command with it."""
    _slow(terminal, 9)
    with terminal.started("study", "run", "s.toml", "-n", "2") as run:
        wait_until(
            lambda: len({row["trial"] for row in terminal.study("s").epochs}) > 1 if terminal.counts("s") else False,
            "both train",
        )
        assert "Worker w1 goes when trial" in terminal.tunefast("worker", "stop", "w1").stdout
        wait_until(lambda: len(list_workers(terminal.database)["workers"]) == 1, "it has gone")
        assert "there are: w2" in terminal.tunefast("worker", "stop", "w1", code=2).stderr
        terminal.tunefast("worker", "stop", "w2")
        said = ended(run, 0)
    assert "worker w1 goes after its epoch, and is not replaced" in said
    assert "The workers lent here have ended. 2 unfinished trials go on from the last epoch, when you type:" in said


def test_who_is_sent_away_is_told_that_others_go_on(terminal: Terminal) -> None:
    """Its workers were taken back in order, so its exit code is 0; after Ctrl-C it is the signal's."""
    _slow(terminal, 9)
    with terminal.started("study", "run", "s.toml", "-n", "1"):
        wait_until(lambda: _num_workers(terminal) == 1, "one works")
        with terminal.started("worker", "start", "s", "-n", "1") as more:
            wait_until(lambda: _num_workers(terminal) == 2, "two work")
            terminal.tunefast("worker", "stop", list_workers(terminal.database)["workers"][-1]["worker"])
            said = ended(more, 0)
        assert said.endswith("The workers lent here have ended. Study s goes on with 1 worker of others.\n")
        with terminal.started("worker", "start", "s", "-n", "1") as more:
            wait_until(lambda: _num_workers(terminal) == 2, "two work again")
            more.send_signal(signal.SIGINT)
            said = ended(more, 130)
        assert said.endswith("Stopped. Study s goes on with 1 worker of others.\n")
        terminal.tunefast("study", "stop", "s")


def _kill_coordinator(terminal: Terminal) -> int:
    """Kill the coordinator, and wait until another one has taken over; the process id of the one that was."""
    old = list_workers(terminal.database)["coordinator"]
    kill(old)
    wait_until(lambda: list_workers(terminal.database)["coordinator"] not in (None, old), "another one takes over")
    return int(old)


def test_what_was_accepted_outlives_the_coordinator(terminal: Terminal) -> None:
    """Killed right after it said yes, a coordinator leaves the pause and the trial that is to end to the next one."""
    _slow(terminal, 3)
    with terminal.started("study", "run", "s.toml", "-n", "1") as run:
        wait_until(lambda: _epochs(terminal) > 0, "an epoch ended")
        terminal.tunefast("study", "pause", "s")
        terminal.tunefast("study", "stop", "s", "--trial", "0")
        _kill_coordinator(terminal)
        wait_until(lambda: terminal.counts("s").get("pruned", 0) == 1, "the trial has ended")
        wait_until(lambda: len(list_workers(terminal.database)["workers"]) == 1, "the worker is back")
        assert terminal.study("s").trial(0).user_attrs["reason"] == "stopped by hand"
        assert list_workers(terminal.database)["workers"][0]["trial"] is None
        assert terminal.counts("s") == {"pruned": 1}
        assert terminal.json("study", "resume", "s")["was_paused"] is True
        wait_until(lambda: any(row["trial"] == 1 for row in terminal.study("s").epochs), "the next one trains")
        terminal.tunefast("study", "stop", "s")
        kill(list_workers(terminal.database)["coordinator"] or 0)
        ended(run, 143)


def test_a_pause_ends_with_the_work(terminal: Terminal) -> None:
    """Who stops a paused study and runs it again has it run: what people wanted was for the work that has ended."""
    _slow(terminal, 2)
    with terminal.started("study", "run", "s.toml", "-n", "1") as run:
        wait_until(lambda: _epochs(terminal) > 0, "an epoch ended")
        terminal.tunefast("study", "pause", "s")
        terminal.tunefast("study", "stop", "s")
        ended(run, 143)
    before = _epochs(terminal)
    with terminal.started("worker", "start", "s", "-n", "1"):
        wait_until(lambda: _epochs(terminal) > before, "it goes on")


def test_the_number_of_workers_changes(terminal: Terminal) -> None:
    """`worker start` adds workers to a study that runs, and `worker stop` takes any of them back, for good."""
    _slow(terminal, 9)
    with terminal.started("study", "run", "s.toml", "-n", "1") as run:
        wait_until(lambda: len(list_workers(terminal.database)["workers"]) == 1, "one works")
        with terminal.started("worker", "start", "s", "-n", "2") as more:
            wait_until(lambda: len(list_workers(terminal.database)["workers"]) == 3, "three work")
            last = list_workers(terminal.database)["workers"][-1]["worker"]
            terminal.tunefast("worker", "stop", last)
            _kill_coordinator(terminal)
            wait_until(lambda: len(list_workers(terminal.database)["workers"]) == 2, "two are left")
            terminal.tunefast("study", "stop", "s")
            assert "is not replaced" in ended(more, 143)
        ended(run, 143)
