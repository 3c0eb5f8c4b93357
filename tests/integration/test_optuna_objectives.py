"""Objectives that were written for Optuna, unchanged, in parallel workers."""

from __future__ import annotations

import os
import shutil
import signal

import optuna
import pytest

from tests.integration.processes import REPOSITORY, Terminal, ended, wait_until
from tunefast.run.commands import list_workers

SPEC = """
[study]
name = "mine"
metric = "score"
direction = "{direction}"
pruner = {{ name = "{pruner}" }}
[budget]
trials = {trials}
[recipe]
objective = "mine:objective"
style = "optuna"
{extra}
"""


def spec(trials: int, *, direction: str = "maximize", pruner: str = "none", extra: str = "") -> str:
    """A study of the objective in mine.py."""
    return SPEC.format(trials=trials, direction=direction, pruner=pruner, extra=extra)


def test_an_example_unchanged(terminal: Terminal) -> None:
    """Define-by-run settings are sampled, trials pruned, attributes kept, and stock Optuna reads it all."""
    for path in (REPOSITORY / "examples" / "optuna_objective").iterdir():
        shutil.copy(path, terminal.directory)
    terminal.tunefast("study", "run", "study.toml", "-n", "2")
    study = optuna.load_study(study_name="optuna_objective", storage=f"sqlite:///{terminal.database}")
    states = [trial.state.name for trial in study.trials]
    assert len(states) == 20
    assert set(states) <= {"COMPLETE", "PRUNED"}
    assert "PRUNED" in states
    for trial in study.trials:
        depth = trial.params["num_layers"]
        assert trial.params.keys() == {"num_layers", "optimizer", "lr", *(f"units_{i}" for i in range(depth))}
        assert ("num_parameters" in trial.user_attrs) is (trial.state.name == "COMPLETE")
    assert len({trial.params["lr"] for trial in study.trials}) == 20
    assert study.best_value > 0.85
    best = terminal.json("study", "best", "optuna_objective")
    assert best["recipe"]["params"] == best["params"] == study.best_params
    named = {attempt["worker"] for attempt in terminal.study("optuna_objective").attempts}
    assert named == {"w1", "w2"}


ENDINGS = """
import optuna

def objective(trial):
    x = trial.suggest_float("x", 0, 1)
    kind = trial.suggest_categorical("kind", [None, "a", True, 3])
    same = trial.suggest_float("x", 0, 1)
    assert x == same and trial.params == {"x": x, "kind": kind}
    if trial.number == 0:
        return 7
    if trial.number == 1:
        raise optuna.TrialPruned()
    if trial.number == 2:
        trial.report(0.5, step=0)
        trial.report(0.9, step=0)
        trial.report(0.6, step=1)
        return 0.55
    if trial.number == 3:
        return None
    if trial.number == 4:
        trial.suggest_int("x", 0, 5)
    if trial.number == 5:
        trial.set_constraint("memory", 1.0)
        return float("nan")
"""


def test_endings(terminal: Terminal) -> None:
    """What is returned is the value, whatever was reported; what Optuna refuses fails, with Optuna's own words."""
    terminal.write("mine.py", ENDINGS)
    terminal.write("s.toml", spec(6))
    terminal.tunefast("study", "run", "s.toml", "-n", "1")
    trials = terminal.study("mine").trials
    assert [trial.state.name for trial in trials] == ["COMPLETE", "PRUNED", "COMPLETE", "FAIL", "FAIL", "FAIL"]
    assert (trials[0].value, trials[2].value) == (7.0, 0.55)
    assert trials[2].intermediate_values == {1: 0.5, 2: 0.6}
    errors = [trial.user_attrs["error"] for trial in trials[3:]]
    assert errors[0] == "the objective returned None; one number is to be returned"
    assert "Cannot set different distribution kind to the same parameter name" in errors[1]
    assert errors[2] == "the objective returned NaN"
    assert any(key.startswith("constraints") for key in trials[5].system_attrs)


def test_settings_from_the_spec(terminal: Terminal) -> None:
    """What the recipe fixes or the space searches is given, and no longer suggested."""
    terminal.write(
        "mine.py",
        "def objective(trial):\n"
        "    return trial.suggest_float('x', 0, 1) + trial.suggest_float('y', 0, 1) + trial.suggest_float('z', 0, 1)\n",
    )
    extra = "params = { y = 10.0 }\n[space]\n'params.x' = { low = 100.0, high = 200.0 }\n"
    terminal.write("s.toml", spec(4, extra=extra))
    terminal.tunefast("study", "run", "s.toml", "-n", "1")
    for trial in terminal.study("mine").trials:
        assert trial.params.keys() == {"params.x", "z"}
        assert trial.value == pytest.approx(trial.params["params.x"] + 10 + trial.params["z"])


SLOW = """
import os, time

def objective(trial):
    x = trial.suggest_float("x", 0, 1)
    start = 0
    if os.path.exists("last"):
        start = int(open("last").read())
    for step in range(start, 5):
        time.sleep(0.2)
        with open("last", "w") as file:
            file.write(str(step + 1))
        trial.report(x * (step + 1), step)
    return x * 5
"""


def test_a_killed_worker(terminal: Terminal) -> None:
    """The trial goes on under its number with the settings that it had, and steps before the checkpoint stand."""
    terminal.write("mine.py", SLOW)
    terminal.write("s.toml", spec(1))
    with terminal.started("study", "run", "s.toml", "-n", "1") as run:
        wait_until(lambda: bool(terminal.counts("mine")) and len(terminal.study("mine").epochs) >= 2, "two epochs")
        (before,) = terminal.study("mine").trials
        (worker,) = list_workers(terminal.database)["workers"]
        os.kill(worker["pid"], signal.SIGKILL)
        ended(run, 0)
    (trial,) = terminal.study("mine").trials
    assert trial.params == before.params
    assert sorted(trial.intermediate_values) == [1, 2, 3, 4, 5]
    assert trial.value == pytest.approx(5 * trial.params["x"])


def test_a_grid_needs_a_space(terminal: Terminal) -> None:
    """A grid over settings that nobody knows yet is refused."""
    terminal.write("mine.py", ENDINGS)
    terminal.write("s.toml", spec(6).replace("[budget]", 'sampler = { name = "grid" }\n[budget]'))
    said = terminal.tunefast("study", "create", "s.toml", code=2).stderr
    assert "grid" in said
    assert "suggests its own settings" in " ".join(said.split())
