"""The example of a loop that borrows tunefast's parts."""

from __future__ import annotations

import os
import shutil
import signal

from tests.integration.processes import REPOSITORY, Terminal, ended, wait_until
from tunefast.run.commands import list_workers


def test_a_loop_that_borrows_parts(terminal: Terminal) -> None:
    """Optimizers, schedules and precisions are searched in it, and a killed worker's trial goes on where it was."""
    for path in (REPOSITORY / "examples" / "own_loop").iterdir():
        if path.is_file():
            shutil.copy(path, terminal.directory)
    with terminal.started("study", "run", "study.toml", "-n", "1") as run:
        wait_until(lambda: _has_begun(terminal), "a trial has reported three epochs")
        (worker,) = list_workers(terminal.database)["workers"]
        os.kill(worker["pid"], signal.SIGKILL)
        ended(run, 0)
    study = terminal.study("own_loop")
    assert sum(study.counts.values()) == 12
    assert study.counts.get("failed", 0) == 0
    assert study.counts["pruned"] >= 1
    assert {trial.params["optimizer.name"] for trial in study.trials} == {"adamw", "muon"}
    best = study.best
    assert best is not None
    assert best.value is not None
    assert best.value > 0.85
    lost = [attempt["trial"] for attempt in study.attempts if attempt["ending"] == "lost"]
    attempts = [row["attempt"] for row in study.epochs if row["trial"] in lost]
    assert len(lost) <= 1
    assert attempts == sorted(attempts)


def _has_begun(terminal: Terminal) -> bool:
    return bool(terminal.counts("own_loop")) and len(terminal.study("own_loop").epochs) >= 3
