"""Files and URLs that are not to be trusted: refused or only read, never believed, never repeated."""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import optuna
import pytest

from tests.integration.processes import Terminal
from tests.integration.specs import objective

CANARY = "canary-7f3a"
COMMANDS = (
    ("study", "create", "s.toml"),
    ("study", "run", "s.toml", "-n", "1"),
    ("study", "list"),
    ("study", "show", "s"),
    ("study", "best", "s"),
    ("study", "extend", "s", "--trials", "9"),
    ("study", "edit", "s", "--set", "budget.trials=9"),
    ("study", "retry", "s"),
    ("study", "watch", "s"),
    ("study", "logs", "s"),
    ("study", "delete", "s", "--yes"),
    ("worker", "start", "s", "-n", "1"),
    ("trial", "clone", "0", "--study", "s"),
    ("train", "--study", "s"),
)


def _torn(path: Path) -> None:
    """The first half of a good database."""
    _stock(path)
    os.truncate(path, path.stat().st_size // 2)


def _garbage(path: Path) -> None:
    """SQLite's first words, and nonsense."""
    path.write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 40)


def _foreign(path: Path) -> None:
    """The database of another program."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE cats (name TEXT)")


def _older(path: Path) -> None:
    """A database of an Optuna of long ago."""
    _stock(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v2.4.0.a'")


def _stock(path: Path) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    optuna.create_study(study_name="s", storage=storage)
    storage.remove_session()
    storage.engine.dispose()


@pytest.mark.parametrize("make", [_torn, _garbage, _foreign, _older])
def test_a_database_that_cannot_be_used(terminal: Terminal, make: Callable[[Path], None]) -> None:
    """Every command refuses it with one message and exit code 2, and not a byte of it changes."""
    terminal.write("s.toml", objective("s", "paced", 1))
    make(terminal.database)
    before = hashlib.sha256(terminal.database.read_bytes()).hexdigest()
    for command in COMMANDS if make is _older else [*COMMANDS[:4], *COMMANDS[10:12]]:
        done = subprocess.run(
            [sys.executable, "-m", "tunefast", *command],
            cwd=terminal.directory,
            env=terminal._environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        may = (0, 2) if make is _older and command[1] == "list" else (2,)
        assert done.returncode in may, f"{command}: {done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr, f"{command}: {done.stderr}"
        assert hashlib.sha256(terminal.database.read_bytes()).hexdigest() == before, command
        assert make is not _foreign or f"{terminal.database}: is a database of another program" in done.stderr
    if make is _older:
        said = terminal.tunefast("study", "create", "s.toml", code=2).stderr
        assert "optuna storage upgrade" in said
        assert "copy" in said


class Payload:
    """Unpickled, it leaves a file behind."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self._mark}",)


def test_the_state_of_a_sampler_is_never_unpickled(terminal: Terminal) -> None:
    """A stock study whose CMA-ES state is a trap can be imported, listed and refused; the trap does not spring."""
    mark = terminal.directory / "sprung"
    trapped = terminal.directory / "trapped.db"
    storage = optuna.storages.RDBStorage(f"sqlite:///{trapped}")
    study = optuna.create_study(study_name="theirs", storage=storage, direction="maximize")
    trial = study.ask({"params.x": optuna.distributions.FloatDistribution(0.0, 1.0)})
    storage.set_trial_system_attr(trial._trial_id, "cma:optimizer", pickle.dumps(Payload(mark)).hex())
    study.tell(trial, 0.5)
    storage.remove_session()
    storage.engine.dispose()
    spec = str(terminal.write("s.toml", objective("s", "paced", 2)))
    terminal.tunefast("study", "create", spec)
    terminal.tunefast("study", "import", f"sqlite:///{trapped}", "--study", "theirs", "--into", "s")
    terminal.tunefast("study", "run", "s", "-n", "1")
    terminal.tunefast("study", "list", "--storage", f"sqlite:///{trapped}")
    terminal.tunefast("worker", "start", "theirs", "--storage", f"sqlite:///{trapped}", code=2)
    assert not mark.exists()
    assert shutil.which("touch")


URLS = [
    f"postgresql://me:{CANARY}@localhost:1/studies",
    f"mysql+pymysql://me:{CANARY}@localhost:1/studies",
    f"postgresql//me:{CANARY}@localhost/studies",
    f"nosuchdialect://me:{CANARY}:{CANARY}@localhost/studies",
]


@pytest.mark.parametrize("url", URLS)
def test_a_password_is_repeated_nowhere(terminal: Terminal, url: str) -> None:
    """Not by any command, with tracebacks or without, nor in any file that is left."""
    terminal.write("s.toml", objective("s", "paced", 1))
    terminal.tunefast("study", "create", "s.toml")
    said = []
    for command in COMMANDS if url == URLS[0] else COMMANDS[:3]:
        done = terminal.tunefast(*command, "--storage", url, "-v", code=2)
        said.append(done.stdout + done.stderr)
    brought = ("study", "import", url, "--study", "theirs", "--into", "s")
    said += [terminal.tunefast(*brought, *more, code=2).stderr for more in ((), ("-v",))]
    assert [text for text in said if CANARY in text] == []
    assert all(text.strip() for text in said)
    for path in terminal.directory.rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path
