"""A study that goes on for a night: detached, watched from elsewhere, told of."""

from __future__ import annotations

import os
import signal

from tests.integration.processes import Terminal, ended, listen, wait_until
from tests.integration.specs import objective

TALKING = """
import os, time

def run(recipe, context):
    for epoch in range(recipe.epochs):
        print(f"trial {context.trial} at epoch {epoch}")
        os.system("echo from a child")
        time.sleep(recipe.params["pause"])
        yield {"val_accuracy": recipe.params["x"]}
"""


def talking(name: str, trials: int, pause: float, extra: str = "") -> str:
    """A study of an objective that prints."""
    text = objective(name, "paced", trials, pause=pause, extra=extra)
    return text.replace("tests.integration.objectives:paced", "talking:run")


def test_detached(terminal: Terminal) -> None:
    """The command returns at once; the study goes on without it, ignores hang-ups, is watched to its end."""
    terminal.write("talking.py", TALKING)
    terminal.write("s.toml", talking("night", 6, 0.5))
    started = terminal.json("study", "run", "s.toml", "-n", "1", "--detach")
    os.kill(started["pid"], signal.SIGHUP)
    with terminal.started("study", "watch", "night") as watch:
        output = ended(watch, 0)
    assert "Study night: its trials are used up." in output
    assert terminal.study("night").counts == {"complete": 6}
    wait_until(lambda: not _lives(started["pid"]), "the detached process has left")


def test_what_keeps_a_detached_process_from_starting_is_told(terminal: Terminal) -> None:
    """The error is that of the process, and so is the exit code."""
    terminal.write("s.toml", objective("bad", "none_such", 2))
    assert "none_such" in terminal.tunefast("study", "run", "s.toml", "--detach", code=2).stderr
    assert "no such database" in terminal.tunefast("worker", "start", "nothing", "--detach", code=2).stderr


def test_a_detached_process_is_stopped_with_a_signal(terminal: Terminal) -> None:
    """SIGTERM pauses the trial; watching then says that nobody works, and how to go on."""
    terminal.write("talking.py", TALKING)
    terminal.write("s.toml", talking("stopped", 50, 0.1))
    pid = terminal.json("study", "run", "s.toml", "-n", "1", "--detach")["pid"]
    wait_until(lambda: terminal.counts("stopped").get("complete", 0) >= 1, "a trial is complete")
    with terminal.started("study", "watch", "stopped") as watch:
        listen(watch, "complete")
        os.kill(pid, signal.SIGTERM)
        output = ended(watch, 0)
    assert "Nobody works on it. Go on: tunefast study run stopped" in output
    assert set(terminal.study("stopped").counts) <= {"complete", "waiting"}


def test_logs(terminal: Terminal) -> None:
    """What trials print, and what the processes print that they start, is kept by trial."""
    terminal.write("talking.py", TALKING)
    terminal.write("s.toml", talking("talk", 3, 0.0))
    terminal.tunefast("study", "run", "s.toml", "-n", "1")
    one = terminal.tunefast("study", "logs", "talk", "--trial", "1").stdout
    assert "trial 1 at epoch 2" in one
    assert one.count("from a child") == 3
    assert "trial 0" not in one
    every = terminal.tunefast("study", "logs", "talk").stdout.splitlines()
    assert "[2] trial 2 at epoch 0" in every
    assert "has no trial 7" in terminal.tunefast("study", "logs", "talk", "--trial", "7", code=2).stderr
    (directory,) = (terminal.directory / "tunefast.db.tunefast" / "trials").iterdir()
    terminal.tunefast("study", "delete", "talk", "--yes")
    assert not directory.exists()


def test_logs_are_followed(terminal: Terminal) -> None:
    """Lines come while the study runs, and the command ends with it."""
    terminal.write("talking.py", TALKING)
    terminal.write("s.toml", talking("tail", 4, 0.6))
    terminal.json("study", "run", "s.toml", "-n", "1", "--detach")
    with terminal.started("study", "logs", "tail", "-f") as logs:
        listen(logs, "[0] trial 0 at epoch 2")
        output = ended(logs, 0)
    assert "[3] trial 3 at epoch 2" in output


def test_notified(terminal: Terminal) -> None:
    """The user's command is run for what it asked for, with what happened in its words and environment."""
    told = terminal.write("told.sh", 'echo "$1|$2|$TUNEFAST_TEXT" >> told.txt\n')
    terminal.write("talking.py", TALKING)
    extra = f"""
[notify]
command = "sh {told} {{event}} {{value}}"
on = ["done", "best"]
"""
    terminal.write("s.toml", talking("told", 3, 0.0) + extra)
    terminal.tunefast("study", "run", "s.toml", "-n", "1")
    wait_until(lambda: "done|" in _text(terminal), "the end is told")
    lines = _text(terminal).splitlines()
    assert sum(line.startswith("best|") for line in lines) >= 1
    best = terminal.study("told").best
    assert best is not None
    assert f"done|{best.value:.6g}|told: the study is done; best val_accuracy {best.value:.6g}" in _text(terminal)
    bad = talking("bad", 3, 0.0) + extra.replace("{event}", "{evnt}")
    terminal.write("t.toml", bad)
    assert "Did you mean 'event'" in terminal.tunefast("study", "create", "t.toml", code=2).stderr


def _text(terminal: Terminal) -> str:
    path = terminal.directory / "told.txt"
    return path.read_text() if path.exists() else ""


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_program_to_notify_that_is_not_there(terminal: Terminal) -> None:
    """It is told when the study is created, and nothing is stored."""
    spec = objective("s", "paced", 2, extra='[notify]\ncommand = "no_such_mail {text}"')
    terminal.write("s.toml", spec)
    said = terminal.tunefast("study", "create", "s.toml", code=2).stderr
    assert "[notify] command: there is no program 'no_such_mail' in PATH" in said
    assert not terminal.database.exists()


def test_nothing_to_detach_for(terminal: Terminal) -> None:
    """A study that has ended shows its result, and leaves no process behind."""
    terminal.write("s.toml", objective("s", "paced", 2))
    terminal.tunefast("study", "run", "s.toml", "-n", "1")
    said = terminal.tunefast("study", "run", "s.toml", "-n", "1", "--detach").stdout
    assert "Study s: its trials are used up." in said
    assert "works on study" not in said


def test_nobody_works(terminal: Terminal) -> None:
    """A study that was left shows that its running trials wait for somebody; a worker shows its process."""
    terminal.write("s.toml", objective("s", "paced", 50, pause=0.3))
    with terminal.started("study", "run", "s.toml", "-n", "1") as run:
        listen(run, "1/50 trials")
        row = terminal.json("worker", "list")["workers"][0]
        assert str(row["pid"]) in terminal.tunefast("worker", "list").stdout
        assert "Nobody works" not in terminal.tunefast("study", "show", "s").stdout
        os.killpg(run.pid, signal.SIGKILL)
    wait_until(lambda: not terminal.json("worker", "list")["workers"], "the workers are gone")
    said = terminal.tunefast("study", "show", "s").stdout
    assert "Nobody works on it; the waiting ones go on with: tunefast study run s" in said


def test_divergence_is_said(terminal: Terminal) -> None:
    """Trials whose metric was never a number are told as what they are."""
    terminal.write("nan.py", "def run(recipe, context):\n    yield {'val_accuracy': float('nan')}\n")
    terminal.write("s.toml", objective("s", "paced", 3).replace("tests.integration.objectives:paced", "nan:run"))
    said = terminal.tunefast("study", "run", "s.toml", "-n", "1", code=1).stdout
    assert "3 of them diverged: their loss or val_accuracy was no finite number." in said
