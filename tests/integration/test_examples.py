"""The projects in examples/ run as they say."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal

import pytest

from tests.integration.processes import REPOSITORY, Terminal, ended, wait_until
from tunefast.run.commands import list_workers

EXAMPLES = {"keras_fit": 0.8, "sklearn_partial_fit": 0.85, "shell_script": 0.5}
"""Projects that no other test runs, each with a value that is reached."""
SLOW_EXAMPLES = {"lightning_module": 0.8, "hf_trainer": 0.5}
"""The same, where every trial takes seconds to import what it needs."""
NEEDS = {"lightning_module": "lightning", "hf_trainer": "transformers", "keras_fit": "keras"}
WITH_CHECKPOINTS = ("pytorch_script", "lightning_module", "hf_trainer", "keras_fit", "own_loop")


def project(terminal: Terminal, name: str) -> None:
    """The project in the terminal's directory, as its first lines say."""
    if name in NEEDS and importlib.util.find_spec(NEEDS[name]) is None:
        pytest.skip(f"{NEEDS[name]} is not installed")
    for path in (REPOSITORY / "examples" / name).iterdir():
        if path.is_file():
            shutil.copy(path, terminal.directory)
    if "init --reporter" in (terminal.directory / "study.toml").read_text():
        terminal.tunefast("init", "--reporter")


@pytest.mark.parametrize("name", [*EXAMPLES, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW_EXAMPLES)])
def test_example(terminal: Terminal, name: str) -> None:
    """All trials end, some are pruned on the way, none fails, and the best is good."""
    project(terminal, name)
    terminal.tunefast("study", "run", "study.toml", "-n", "2")
    study = terminal.study(name)
    assert sum(study.counts.values()) == study.spec.budget.trials
    assert set(study.counts) == {"complete", "pruned"}
    best = study.best
    assert best is not None
    assert best.value is not None
    assert best.value > {**EXAMPLES, **SLOW_EXAMPLES}[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*WITH_CHECKPOINTS, "optuna_objective"])
def test_killed_and_resumed(terminal: Terminal, name: str) -> None:
    """A worker that is killed is replaced, and its trial goes on from the framework's own checkpoint, if it has one."""
    project(terminal, name)
    with terminal.started("study", "run", "study.toml", "-n", "1") as run:
        wait_until(
            lambda: bool(terminal.counts(name)) and len(terminal.study(name).epochs) >= 2, "two epochs are there"
        )
        (worker,) = list_workers(terminal.database)["workers"]
        os.kill(worker["pid"], signal.SIGKILL)
        ended(run, 0)
    study = terminal.study(name)
    assert set(study.counts) <= {"complete", "pruned"}
    assert sum(study.counts.values()) == study.spec.budget.trials
    (lost,) = [attempt["trial"] for attempt in study.attempts if attempt["ending"] == "lost"]
    epochs = [(row["epoch"], row["attempt"]) for row in study.epochs if row["trial"] == lost]
    assert [epoch for epoch, _ in epochs] == list(range(1, len(epochs) + 1))
    assert [attempt for _, attempt in epochs] == sorted(attempt for _, attempt in epochs)
    if name in WITH_CHECKPOINTS and lost == 0:
        assert epochs[0] == (1, 1)


def test_every_example_is_run() -> None:
    """No project is left out of the tests."""
    elsewhere = {"pytorch_script", "optuna_objective", "own_loop"}
    found = {path.name for path in (REPOSITORY / "examples").iterdir() if path.is_dir()}
    assert found == {*EXAMPLES, *SLOW_EXAMPLES, *elsewhere}
