"""`tunefast trial clone`: variants of trials."""

from __future__ import annotations

import pytest

from tests.integration.processes import Terminal

CODE = """
def run(recipe, context):
    state = context.checkpoint.load() or {"epoch": 0, "level": 0.0}
    for epoch in range(state["epoch"], recipe.epochs):
        state = {"epoch": epoch + 1, "level": state["level"] + recipe.params["rate"]}
        context.checkpoint.save(state)
        yield {"epoch": epoch + 1, "val_accuracy": state["level"]}

def suggested(trial):
    rate = trial.suggest_float("rate", 0.0, 1.0)
    return rate
"""
SPEC = """
[study]
name = "s"
pruner = { name = "none" }
[budget]
trials = 3
[recipe]
objective = "mine:run"
epochs = 2
[space]
"params.rate" = { low = 0.0, high = 0.1 }
"params.kind" = { choices = ["a", "b"] }
"params.only_b" = { low = 0, high = 9, when = { "params.kind" = "b" } }
"""


@pytest.fixture
def studied(terminal: Terminal) -> Terminal:
    """A study of three trials that has ended."""
    terminal.write("mine.py", CODE)
    terminal.write("s.toml", SPEC)
    terminal.tunefast("study", "run", "s.toml", "-n", "1")
    return terminal


def test_from_a_checkpoint(terminal: Terminal) -> None:
    """A variant of a trial that was stopped early goes on where its checkpoint stands, and says whose variant it is."""
    terminal.write("mine.py", CODE)
    patience = 'early_stopping = { monitor = "val_accuracy", patience = 1, min_delta = 9.0 }'
    terminal.write("s.toml", SPEC.replace("\nepochs = 2", f"\nepochs = 6\n{patience}").replace("= 3", "= 8"))
    terminal.tunefast("study", "run", "s.toml", "-n", "1")
    source = max(terminal.study("s").trials, key=lambda trial: trial.value or 0)
    made = terminal.json(
        *("trial", "clone", str(source.number), "--study", "s", "--set", "params.kind=b"),
        *("--set", "params.only_b=4", "--set", "params.rate=0.1"),
    )
    assert (made["start"], made["is_in_budget"]) == ("checkpoint", False)
    assert made["params"] == {"params.rate": 0.1, "params.kind": "b", "params.only_b": 4}
    terminal.tunefast("study", "extend", "s", "--trials", "9")
    terminal.tunefast("study", "run", "s", "-n", "1")
    clone = terminal.study("s").trial(made["trial"])
    assert clone.params == made["params"]
    reached = max(source.intermediate_values)
    assert min(clone.intermediate_values) == reached + 1
    gained = clone.intermediate_values[reached + 1] - source.intermediate_values[reached]
    assert gained == pytest.approx(0.1)
    shown = terminal.tunefast("study", "show", "s", "--trial", str(made["trial"])).stdout
    assert f"a variant of trial {source.number}" in shown


def test_of_a_trial_without_epochs_left(studied: Terminal) -> None:
    """A variant of a trial that ran to its end starts from the beginning, and is trained."""
    said = studied.tunefast("trial", "clone", "1", "--study", "s", "--set", "params.rate=0.05").stdout
    assert "waits, to start from the beginning" in said
    assert "first: tunefast study extend s --trials 4" in said
    studied.tunefast("study", "extend", "s", "--trials", "4")
    studied.tunefast("study", "run", "s", "-n", "1")
    clone = studied.study("s").trial(3)
    assert clone.intermediate_values == pytest.approx({1: 0.05, 2: 0.1})


def test_settings_that_do_not_apply(studied: Terminal) -> None:
    """A setting whose condition no longer holds is left out of the variant."""
    made = studied.json("trial", "clone", "0", "--study", "s", "--set", "params.kind=a")
    assert set(made["params"]) == {"params.rate", "params.kind"}


def test_an_objective_for_optuna(terminal: Terminal) -> None:
    """Its suggestions are those of the variant."""
    terminal.write("mine.py", CODE)
    terminal.write(
        "s.toml",
        '[study]\nname = "s"\n[budget]\ntrials = 2\n[recipe]\nobjective = "mine:suggested"\nstyle = "optuna"\n',
    )
    terminal.tunefast("study", "run", "s.toml", "-n", "1")
    for wrong in ("7.0", "abc", "[1, 2]", "2020-01-01", "nan"):
        said = terminal.tunefast("trial", "clone", "0", "--study", "s", "--set", f"rate={wrong}", code=2).stderr
        assert "not in its range" in said
    terminal.tunefast("trial", "clone", "0", "--study", "s", "--set", "rate=0.25")
    terminal.tunefast("study", "extend", "s", "--trials", "3")
    terminal.tunefast("study", "run", "s", "-n", "1")
    assert terminal.study("s").trial(2).value == 0.25


BAD: dict[str, tuple[list[str], str]] = {
    "no such trial": (["9"], "study 's' has no trial 9; it has 3, counted from 0"),
    "not searched": (["0", "--set", "params.rat=0.1"], "--set params.rat: not searched. Did you mean 'params.rate'?"),
    "outside": (["0", "--set", "params.rate=0.7"], "--set params.rate=0.7: not in its domain, 0 to 0.1"),
    "no such choice": (["0", "--set", "params.kind=c"], "not in its domain, ['a', 'b']"),
    "no value": (["0", "--set", "params.kind"], "--set params.kind: should be PATH=VALUE"),
    "does not apply": (["0", "--set", "params.kind=a", "--set", "params.only_b=1"], "its conditions do not hold"),
}


def test_bad_input(studied: Terminal) -> None:
    """One message, exit code 2, and nothing is queued."""
    for options, message in BAD.values():
        assert message in studied.tunefast("trial", "clone", *options, "--study", "s", code=2).stderr
    assert len(studied.study("s").trials) == 3
