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


def test_from_a_checkpoint(studied: Terminal) -> None:
    """A variant goes on where its trial's checkpoint stands, under other settings, and says whose variant it is."""
    source = studied.study("s").trial(1)
    made = studied.json(
        "trial", "clone", "1", "--study", "s", "--set", "params.kind=b", "--set", "params.only_b=4", "--set",
        "params.rate=0.05",
    )  # fmt: skip
    assert made["has_checkpoint"]
    assert made["params"] == {"params.rate": 0.05, "params.kind": "b", "params.only_b": 4}
    studied.write("mine.py", CODE.replace("recipe.epochs", "recipe.epochs + 2"))
    studied.tunefast("study", "extend", "s", "--trials", "4")
    studied.tunefast("study", "run", "s", "-n", "1")
    clone = studied.study("s").trial(made["trial"])
    assert clone.params == made["params"]
    assert set(clone.intermediate_values) == {3, 4}
    assert clone.value == pytest.approx((source.value or 0) + 2 * 0.05)
    assert "a variant of trial 1" in studied.tunefast("study", "show", "s", "--trial", str(made["trial"])).stdout


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
