"""A target that is reached ends what others train, within their epoch."""

from __future__ import annotations

from tests.integration.processes import Terminal

SPEC = """
[study]
name = "s"
sampler = { name = "grid" }
pruner = { name = "none" }
[budget]
target = 0.3
[recipe]
data = { name = "digits" }
model = { name = "mlp", width = 3000, depth = 3 }
optimizer = { name = "adamw" }
epochs = 1
[space]
batch_size = { choices = [256, 1] }
"""


def test_an_epoch_that_nobody_needs(terminal: Terminal) -> None:
    """The trial at the target ends the study, though another one has minutes of its epoch left; that one is pruned."""
    terminal.write("s.toml", SPEC)
    done = terminal.json("study", "run", "s.toml", "-n", "2")
    assert done["ended"] == "target"
    trials = {trial.params["batch_size"]: trial for trial in terminal.study("s").trials}
    assert trials[256].user_attrs["reason"] == "target"
    assert trials[1].user_attrs["reason"] == "the study ended: target"
    assert trials[1].state.name == "PRUNED"
    assert trials[1].intermediate_values == {}
