"""`tunefast study check` as a user types it, and its quick part in `study create`."""

from __future__ import annotations

from tests.integration.processes import Terminal

FAILING = """
import torch

def run(recipe, context):
    if recipe.params["activation"] == "swish":
        raise KeyError("there is no activation swish")
    for epoch in range(recipe.epochs):
        yield {"val_accuracy": recipe.params["width"] / 100}
"""
SPEC = """
[study]
name = "mine"
[budget]
trials = 20
[recipe]
objective = "mine:run"
epochs = 5
[space]
"params.activation" = {{ choices = {activations} }}
"params.width" = {{ low = 8, high = 64 }}
"""


def test_what_would_happen(terminal: Terminal) -> None:
    """The check says what recipes cost and how long the study takes, and writes no study."""
    shown = terminal.tunefast("study", "check", "digits", "-n", "2", "--seconds", "20").stdout
    assert "Tried 26 of 26 recipes of digits: 2 workers on cpu, 1 thread each." in shown
    for word in ("fastest", "median", "slowest", "samples/s", "MiB"):
        assert word in shown
    assert "Forecast for 40 trials:" in shown
    assert "with stop rules  about" in shown
    assert "whole trainings" in shown
    assert max(map(len, shown.splitlines())) <= 120
    assert not terminal.database.exists()


def test_what_fails(terminal: Terminal) -> None:
    """Recipes that fail are counted, with the error and what they have in common, and the exit code says so."""
    terminal.write("mine.py", FAILING)
    file = terminal.write("s.toml", SPEC.format(activations='["relu", "swish", "gelu"]'))
    shown = terminal.tunefast("study", "check", str(file), "--seconds", "20", code=2).stdout
    assert "recipes fail:" in shown
    assert "KeyError: 'there is no activation swish'" in shown
    assert "all with activation=swish" in shown
    found = terminal.json("study", "check", str(file), "--seconds", "20", code=2)
    failed = {row["params"]["params.activation"] for row in found["recipes"] if row["error"]}
    assert failed == {"swish"}
    assert found["failed"] == sum(bool(row["error"]) for row in found["recipes"])
    assert {row["params"]["params.width"] for row in found["recipes"]} >= {8, 64}
    assert found["forecast"]["without"]["trials"] == 20


def test_bad_input(terminal: Terminal) -> None:
    """A spec that is wrong, and one that is not there, are refused as `study create` does it."""
    missing = terminal.tunefast("study", "check", "nothing.toml", code=2).stderr
    assert "nothing.toml" in missing
    file = terminal.write("s.toml", SPEC.format(activations="[]"))
    assert "choices is empty" in terminal.tunefast("study", "check", str(file), code=2).stderr
