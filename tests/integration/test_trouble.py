"""Trouble that is nobody's fault, and must cost no more than it has to."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path

from tests.integration.processes import REPOSITORY, Terminal, ended, listen, wait_until
from tests.integration.specs import objective


def test_an_objective_that_exits_is_a_failed_trial(terminal: Terminal) -> None:
    """`sys.exit(0)` in an objective ends its trial, not its worker, and the study with an error."""
    done = terminal.tunefast("study", "run", str(terminal.write("s.toml", objective("quit", "quitting", 9))), code=1)
    assert "SystemExit" in done.stdout
    assert terminal.study("quit").counts == {"failed": 3}


def test_a_host_that_cannot_find_the_objective_is_refused(terminal: Terminal) -> None:
    """A second terminal in the wrong directory is told so, rather than failing every trial it is given."""
    terminal.write("mine.py", "def run(recipe, context):\n    return {'val_accuracy': 0.5}\n")
    text = objective("far", "paced", 3).replace("tests.integration.objectives:paced", "mine:run")
    terminal.tunefast("study", "create", str(terminal.write("s.toml", text)))
    elsewhere = terminal.directory / "elsewhere"
    elsewhere.mkdir()
    away = Terminal(elsewhere, terminal.environment)
    storage = f"sqlite:///{terminal.database}"
    assert "no module 'mine'" in away.tunefast("worker", "start", "far", "--storage", storage, code=2).stderr
    terminal.tunefast("worker", "start", "far", "-n", "1")
    assert terminal.study("far").counts == {"complete": 3}


def test_one_owner_whatever_the_path_and_the_environment(terminal: Terminal) -> None:
    """Through a symlink, and from an environment with another runtime directory, hosts find the one coordinator."""
    terminal.tunefast("study", "create", str(terminal.write("s.toml", objective("one", "paced", 12, pause=0.1))))
    (terminal.directory / "link.db").symlink_to(terminal.database)
    runtime = terminal.directory / "other"
    runtime.mkdir(mode=0o700)
    other = Terminal(terminal.directory, {"XDG_RUNTIME_DIR": str(runtime)})
    with ExitStack() as stack:
        first = stack.enter_context(terminal.started("worker", "start", "one", "-n", "1"))
        pid = listen(first, "coordinator").split()[1]
        second = stack.enter_context(
            other.started("worker", "start", "one", "-n", "1", "--storage", "sqlite:///link.db")
        )
        assert listen(second, "coordinator").split()[1] == pid
        ended(first, 0)
        ended(second, 0)
    assert terminal.study("one").counts == {"complete": 12}


def test_a_database_that_somebody_locks_only_waits(terminal: Terminal) -> None:
    """Another program holds the write lock for some seconds: no trial is lost or repeated, and the study goes on."""
    spec = str(terminal.write("s.toml", objective("locked", "paced", 8, pause=0.2)))
    with terminal.started("study", "run", spec, "-n", "2") as run:
        wait_until(lambda: terminal.counts("locked").get("complete", 0) >= 1, "a trial is complete")
        with closing(sqlite3.connect(terminal.database, isolation_level=None, timeout=30)) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(6)
            other.execute("ROLLBACK")
        ended(run, 0)
    study = terminal.study("locked")
    assert study.counts == {"complete": 8}
    assert [row["attempt"] for row in study.attempts] == [1] * 8


def test_a_new_database_has_nothing_of_one_that_was_removed(terminal: Terminal) -> None:
    """The log that a killed coordinator left beside a removed file is not replayed into the next one."""
    old = closing(sqlite3.connect(terminal.database, isolation_level=None))
    with old as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE ghosts (x)")
        terminal.database.unlink()
        terminal.tunefast("study", "create", str(terminal.write("s.toml", objective("new", "paced", 1))))
        assert [row["study"] for row in terminal.json("study", "list")] == ["new"]
    with closing(sqlite3.connect(terminal.database)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'ghosts'").fetchone() == (0,)


def test_ctrl_c_in_a_script_is_not_swallowed(terminal: Terminal, tmp_path: Path) -> None:
    """`tunefast.run_study` raises KeyboardInterrupt when it is interrupted, and the trial waits to be gone on with."""
    terminal.tunefast("study", "create", str(terminal.write("s.toml", objective("script", "paced", 50, pause=0.1))))
    script = "import tunefast; tunefast.run_study('script', workers=1); print('went on')"
    environment = {**terminal.environment, "PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"}
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        wait_until(lambda: terminal.counts("script").get("complete", 0) >= 1, "a trial is complete")
        process.send_signal(signal.SIGINT)
        output, error = process.communicate(timeout=60)
    assert "went on" not in output
    assert "KeyboardInterrupt" in error
    assert "failed" not in terminal.counts("script")
