"""Trials of stock Optuna studies, brought into ours."""

from __future__ import annotations

from pathlib import Path

import optuna

from tests.integration.processes import Terminal

SPEC = """
[study]
name = "mine"
metric = "score"
direction = "maximize"
pruner = { name = "median", warmup_epochs = 1, startup_trials = 2 }
sampler = { name = "tpe", startup_trials = 3 }
[budget]
trials = 3
[recipe]
objective = "mine:run"
epochs = 4
[space]
"params.x" = { low = 0.0, high = 1.0 }
"params.kind" = { choices = ["a", "b"] }
"params.y" = { low = 1, high = 5, when = { "params.kind" = "b" } }
"""
OBJECTIVE = """
def run(recipe, context):
    for epoch in range(recipe.epochs):
        yield {"score": recipe.params["x"] * (epoch + 1)}
"""


def stock(url: str) -> optuna.Study:
    """A study of stock Optuna whose steps count from 0, with trials that fit and others that do not."""
    study = optuna.create_study(study_name="old", storage=url, direction="maximize")

    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", 0, 2)
        kind = trial.suggest_categorical("kind", ["a", "b", "c"])
        if kind == "b":
            trial.suggest_int("y", 1, 9)
        trial.suggest_float("other", 0, 1)
        for step in range(4):
            trial.report(x * (step + 1), step)
        if trial.number == 1:
            raise optuna.TrialPruned
        if trial.number == 2:
            raise ValueError("no legs")
        return x * 4

    for settings in (
        {"x": 0.5, "kind": "a"},
        {"x": 0.25, "kind": "b", "y": 3},
        {"x": 0.25, "kind": "a"},
        {"x": 1.5, "kind": "a"},
        {"x": 0.5, "kind": "c"},
        {"x": 0.5, "kind": "b", "y": 9},
        {"x": 1.0, "kind": "b", "y": 5},
    ):
        study.enqueue_trial({**settings, "other": 0.5})
    study.optimize(objective, n_trials=7, catch=ValueError)
    return study


def test_trials_and_curves_are_there(terminal: Terminal, tmp_path: Path) -> None:
    """What fits is stored with its curve, counted from 1; the rest is told; the budget and the source are untouched."""
    url = f"sqlite:///{tmp_path / 'stock.db'}"
    stock(url)
    before = (tmp_path / "stock.db").read_bytes()
    terminal.write("mine.py", OBJECTIVE)
    terminal.write("s.toml", SPEC)
    terminal.tunefast("study", "create", "s.toml")
    command = ("study", "import", url, "--study", "old", "--into", "mine", "--map", "x=params.x")
    maps = ("--map", "kind=params.kind", "--map", "y=params.y")
    said = terminal.json(*command, *maps)
    assert said["imported"] == 3
    assert said["left_out"] == {
        "is failed": 1,
        "'params.x' lies outside the space": 1,
        "'params.kind' lies outside the space": 1,
        "'params.y' lies outside the space": 1,
    }
    assert said["unused"] == ["other"]
    assert (tmp_path / "stock.db").read_bytes() == before
    trials = terminal.study("mine").trials
    assert [trial.state.name for trial in trials] == ["COMPLETE", "PRUNED", "COMPLETE"]
    assert [trial.value for trial in trials] == [2.0, 1.0, 4.0]
    assert trials[0].intermediate_values == {1: 0.5, 2: 1.0, 3: 1.5, 4: 2.0}
    assert trials[2].params == {"params.x": 1.0, "params.kind": "b", "params.y": 5}
    assert trials[2].user_attrs["imported"] == "old, trial 6"
    terminal.tunefast("study", "run", "mine", "-n", "1")
    trials = terminal.study("mine").trials
    assert len(trials) == 6
    assert "has trials of 'old' already" in terminal.tunefast(*command, *maps, code=2).stderr


def test_the_pruner_starts_from_imported_curves(terminal: Terminal, tmp_path: Path) -> None:
    """With two imported complete trials that are better, the first trial of one's own is pruned after its warm-up."""
    url = f"sqlite:///{tmp_path / 'stock.db'}"
    stock(url)
    terminal.write("mine.py", OBJECTIVE.replace('recipe.params["x"]', "0.01"))
    terminal.write("s.toml", SPEC)
    terminal.tunefast("study", "create", "s.toml")
    maps = ("--map", "x=params.x", "--map", "kind=params.kind", "--map", "y=params.y")
    terminal.tunefast("study", "import", url, "--study", "old", "--into", "mine", *maps)
    terminal.tunefast("study", "run", "mine", "-n", "1", code=0)
    own = terminal.study("mine").trials[3:]
    assert [trial.state.name for trial in own] == ["PRUNED"] * 3


def test_what_cannot_be_imported(terminal: Terminal, tmp_path: Path) -> None:
    """One message each, and nothing written."""
    url = f"sqlite:///{tmp_path / 'stock.db'}"
    stock(url)
    terminal.write("mine.py", OBJECTIVE)
    terminal.write("s.toml", SPEC)
    terminal.tunefast("study", "create", "s.toml")
    (tmp_path / "torn.db").write_text("no database")
    command = ("study", "import")
    for arguments, message in (
        ((url, "--study", "odl", "--into", "mine"), "there is no study 'odl'. Did you mean 'old'?"),
        ((url, "--study", "old", "--into", "mien"), "no study 'mien'"),
        ((url, "--study", "old", "--into", "mine", "--map", "x"), "should be OLD=NEW"),
        ((url, "--study", "old", "--into", "mine", "--map", "x=params.z"), "'params.z' is not in the space"),
        ((f"{url}x", "--study", "old", "--into", "mine"), "there is no such database"),
        ((f"sqlite:///{tmp_path / 'torn.db'}", "--study", "old", "--into", "mine"), "cannot be read"),
        ((url, "--study", "old", "--into", "mine"), "no trial of 'old' fits (6 x has no 'params.x'; 1 x is failed)"),
        (("no url", "--study", "old", "--into", "mine"), "is no database URL"),
    ):
        said = terminal.tunefast(*command, *arguments, code=2)
        assert message in " ".join(said.stderr.split()), said.stderr
    assert terminal.study("mine").trials == []
    said = terminal.tunefast("worker", "start", "old", "--storage", url, code=2)
    assert "tunefast study import" in said.stderr
