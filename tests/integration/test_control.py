"""Telling a study that is being worked on to wait, go on, stop, or give a slot back."""

from __future__ import annotations

from tests.integration.processes import Terminal, ended, wait_until
from tests.integration.specs import digits
from tunefast.run.commands import list_workers


def _slow(terminal: Terminal, trials: int, epochs: int) -> None:
    """A study whose epochs last."""
    text = digits("s", "random", trials, epochs).replace("median", "none")
    text = text.replace(", warmup_epochs = 1, startup_trials = 2", "").replace("width = 32", "width = 2000, depth = 2")
    terminal.write("s.toml", text)


def _epochs(terminal: Terminal) -> int:
    return len(terminal.study("s").epochs) if terminal.counts("s") else 0


def test_paused_resumed_and_stopped(terminal: Terminal) -> None:
    """From another terminal a study waits and goes on, one trial ends, and then all of it stops, to be gone on with."""
    _slow(terminal, 4, 12)
    with terminal.started("study", "run", "s.toml", "-n", "1") as run:
        wait_until(lambda: _epochs(terminal) > 1, "two epochs ended")
        said = terminal.tunefast("study", "pause", "s").stdout
        assert said == (
            "Study s is paused; 1 trial trains until the end of the epoch. Go on: tunefast study resume s\n"
        )
        wait_until(lambda: terminal.study("s").attempts[0]["ending"] == "paused", "the trial waits")
        waiting = _epochs(terminal)
        assert list_workers(terminal.database)["workers"][0]["trial"] is None
        assert terminal.json("study", "resume", "s") == {"study": "s", "was_paused": True}
        wait_until(lambda: _epochs(terminal) > waiting, "it goes on")
        assert "Trial 0 of s ends now." in terminal.tunefast("study", "stop", "s", "--trial", "0").stdout
        wait_until(lambda: terminal.counts("s").get("pruned", 0) == 1, "the trial has ended")
        wait_until(lambda: any(row["trial"] == 1 for row in terminal.study("s").epochs), "the next one trains")
        assert "stops after this epoch. Go on: tunefast study run s" in terminal.tunefast("study", "stop", "s").stdout
        assert "tunefast study run s" in ended(run, 143)
    study = terminal.study("s")
    assert study.trial(0).user_attrs["reason"] == "stopped by hand"
    assert study.trial(1).state.name == "RUNNING"
    assert "nobody works on study 's'" in terminal.tunefast("study", "pause", "s", code=2).stderr
    assert "study 'x'" in terminal.tunefast("study", "stop", "x", code=2).stderr


def test_a_slot_is_given_back(terminal: Terminal) -> None:
    """One of two workers goes, and is not replaced; the last one takes the command with it."""
    _slow(terminal, 9, 30)
    with terminal.started("study", "run", "s.toml", "-n", "2") as run:
        wait_until(
            lambda: len({row["trial"] for row in terminal.study("s").epochs}) > 1 if terminal.counts("s") else False,
            "both train",
        )
        assert "Worker w1 goes when trial" in terminal.tunefast("worker", "stop", "w1").stdout
        wait_until(lambda: len(list_workers(terminal.database)["workers"]) == 1, "it has gone")
        assert "there are: w2" in terminal.tunefast("worker", "stop", "w1", code=2).stderr
        terminal.tunefast("worker", "stop", "w2")
        said = ended(run, 143)
    assert "worker w1 goes after its epoch, and is not replaced" in said
    assert "2 unfinished trials go on" in said
