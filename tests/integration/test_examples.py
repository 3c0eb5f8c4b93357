"""The projects in examples/ run as they say."""

from __future__ import annotations

import shutil

import pytest

from tests.integration.processes import REPOSITORY, Terminal

EXAMPLES = {"keras_fit": 0.8, "sklearn_partial_fit": 0.85, "shell_script": 0.5}
"""Projects that no other test runs, each with a value that is reached."""


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(terminal: Terminal, name: str) -> None:
    """All trials end, some are pruned on the way, none fails, and the best is good."""
    for path in (REPOSITORY / "examples" / name).iterdir():
        if path.is_file():
            shutil.copy(path, terminal.directory)
    if "init --reporter" in (terminal.directory / "study.toml").read_text():
        terminal.tunefast("init", "--reporter")
    terminal.tunefast("study", "run", "study.toml", "-n", "2")
    study = terminal.study(name)
    budget = study.spec.budget.trials
    assert sum(study.counts.values()) == budget
    assert set(study.counts) == {"complete", "pruned"}
    best = study.best
    assert best is not None
    assert best.value is not None
    assert best.value > EXAMPLES[name]


def test_every_example_is_run() -> None:
    """No project is left out of the tests."""
    elsewhere = {"pytorch_script", "optuna_objective", "own_loop"}
    assert {path.name for path in (REPOSITORY / "examples").iterdir() if path.is_dir()} == {*EXAMPLES, *elsewhere}
