"""`tunefast study edit`: another space and budget, while the study runs or between runs."""

from __future__ import annotations

import math
from typing import Any

import optuna
import pytest

from tests.integration.processes import Terminal, ended, wait_until
from tunefast.store.snapshot import StudySnapshot

SPEC = """
[study]
name = "s"
sampler = {{ name = "{sampler}" }}
[budget]
trials = {trials}
[recipe]
objective = "tests.integration.objectives:paced"
epochs = 3
[recipe.params]
pause = {pause}
[space]
"params.x" = {{ low = 0.0, high = 1.0 }}
"params.kind" = {{ choices = ["a", "b"] }}
"""


def _written(terminal: Terminal, sampler: str = "tpe", trials: int = 12, pause: float = 0.0) -> None:
    text = SPEC.format(sampler=sampler, trials=trials, pause=pause)
    if sampler == "grid":
        text = text.replace("high = 1.0 }", "high = 1.0, step = 0.5 }").replace("[budget]\ntrials = 12\n", "")
    terminal.write("s.toml", text)


def _stock(terminal: Terminal) -> optuna.Study:
    return optuna.load_study(study_name="s", storage=f"sqlite:///{terminal.database}")


def _kinds(study: StudySnapshot) -> dict[str, set[str]]:
    return {
        path: {str(trial.distributions[path]) for trial in study.trials if path in trial.distributions}
        for path in study.spec.space
    }


def test_between_runs(terminal: Terminal) -> None:
    """Later trials keep to the new space, earlier ones stay, and to stock Optuna all trials are of one space."""
    _written(terminal)
    terminal.tunefast("study", "run", "s.toml", "-n", "2")
    changed = terminal.json(
        *("study", "edit", "s", "--set", "space.params.x.high=0.25", "--set", "space.params.x.low=-1.0"),
        *("--set", 'space.params.kind.choices=["a", "b", "c"]', "--set", "budget.trials=40"),
    )
    assert changed["changes"]["budget.trials"] == [12, 40]
    before = terminal.study("s")
    assert changed["outside"] == sum(trial.params["params.x"] > 0.25 for trial in before.trials) > 0
    terminal.tunefast("study", "run", "s", "-n", "2")
    study = terminal.study("s")
    later = [trial.params for trial in study.trials[12:]]
    assert len(later) == 28
    assert all(-1 <= params["params.x"] <= 0.25 for params in later)
    assert {params["params.kind"] for params in later} == {"a", "b", "c"}
    assert [trial.params for trial in study.trials[:12]] == [trial.params for trial in before.trials]
    assert all(len(kinds) == 1 for kinds in _kinds(study).values())
    assert "edited after 12 trials: budget.trials 12 -> 40" in terminal.tunefast("study", "show", "s").stdout
    stock = _stock(terminal)
    assert set(optuna.importance.get_param_importances(stock)) == set(study.spec.space)
    assert set(optuna.search_space.intersection_search_space(stock.trials)) == set(study.spec.space)
    trial = stock.ask()
    assert trial.suggest_categorical("params.kind", ["a", "b", "c"]) in "abc"
    copied = optuna.create_study(study_name="copy", storage=optuna.storages.InMemoryStorage())
    copied.add_trials(stock.trials[:40])


def test_while_it_runs(terminal: Terminal) -> None:
    """The next trial has the new space, those that run go on, and the study ends at the new budget."""
    _written(terminal, trials=500, pause=0.1)
    with terminal.started("study", "run", "s.toml", "-n", "2") as run:
        wait_until(lambda: sum(terminal.counts("s").values()) > 6, "some trials have run")
        terminal.tunefast("study", "edit", "s", "--set", "space.params.x.low=2.0", "--set", "space.params.x.high=3.0")
        num_before = len(terminal.study("s").trials)
        terminal.tunefast("study", "edit", "s", "--set", f"budget.trials={num_before + 60}")
        ended(run, 0)
    study = terminal.study("s")
    assert len(study.trials) == num_before + 60
    assert all(2 <= trial.params["params.x"] <= 3 for trial in study.trials[num_before + 2 :])
    assert len(study.edits) == 2
    assert study.best is not None
    assert study.best.value is not None
    assert study.best.value > 1


def test_a_grid(terminal: Terminal) -> None:
    """Cells that the edit adds are tried, each once, and those that it takes away no more."""
    _written(terminal, sampler="grid")
    terminal.tunefast("study", "run", "s.toml", "-n", "2")
    assert len(terminal.study("s").trials) == 3 * 2
    terminal.tunefast("study", "edit", "s", "--set", "space.params.x.low=0.5", "--set", "space.params.x.high=2.0")
    terminal.tunefast("study", "run", "s", "-n", "2")
    cells = [(trial.params["params.x"], trial.params["params.kind"]) for trial in terminal.study("s").trials]
    assert len(cells) == len(set(cells)) == (3 + 2) * 2
    assert {x for x, _ in cells} == {0.0, 0.5, 1.0, 1.5, 2.0}


BAD: dict[str, tuple[list[str], str]] = {
    "nothing": ([], "give at least one --set PATH=VALUE"),
    "no value": (["--set", "budget.trials"], "--set budget.trials: should be PATH=VALUE"),
    "fewer trials than there are": (["--set", "budget.trials=2"], "study 's' has 12 trials already"),
    "not searched": (["--set", "space.params.y.low=2"], "'params.y.low' is not searched"),
    "a choice less": (["--set", 'space.params.kind.choices=["a"]'], "'b' cannot be taken away"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(terminal: Terminal, case: str) -> None:
    """One message, exit code 2, and the study stays as it was."""
    _written(terminal)
    terminal.tunefast("study", "run", "s.toml", "-n", "1")
    before: Any = terminal.json("study", "show", "s")
    options, message = BAD[case]
    assert message in terminal.tunefast("study", "edit", "s", *options, code=2).stderr
    assert terminal.json("study", "show", "s") == before


def test_the_file_differs_then(terminal: Terminal) -> None:
    """A run of the old file is refused, and says how to change what is stored."""
    _written(terminal)
    terminal.tunefast("study", "create", "s.toml")
    terminal.tunefast("study", "edit", "s", "--set", "space.params.x.high=0.5")
    said = terminal.tunefast("study", "run", "s.toml", code=2).stderr
    assert "space.params.x.high: stored 0.5, file 1.0" in said
    assert "tunefast study edit s --set" in said
    assert math.isclose(terminal.study("s").spec.space["params.x"].model_dump()["high"], 0.5)


def test_an_import_after_an_edit(terminal: Terminal) -> None:
    """Trials that are imported get the distributions that all trials of the edited study have."""
    _written(terminal)
    terminal.tunefast("study", "run", "s.toml", "-n", "1")
    terminal.tunefast("study", "edit", "s", "--set", "space.params.x.high=0.25")
    stock = optuna.create_study(
        study_name="old", direction="maximize", storage=f"sqlite:///{terminal.directory}/old.db"
    )
    stock.optimize(lambda trial: trial.suggest_float("x", 0, 0.2) + len(trial.suggest_categorical("k", ["a", "b"])), 3)
    terminal.tunefast(
        *("study", "import", f"sqlite:///{terminal.directory}/old.db", "--study", "old", "--into", "s"),
        *("--map", "x=params.x", "--map", "k=params.kind"),
    )
    study = terminal.study("s")
    assert len(study.trials) == 15
    assert all(len(kinds) == 1 for kinds in _kinds(study).values())
