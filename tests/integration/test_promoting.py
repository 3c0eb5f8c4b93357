"""Pause and promote with real workers: trials wait at a rung with their checkpoint, and go on from it."""

from __future__ import annotations

from tests.integration.processes import Terminal
from tunefast.spec.progress import AT_RUNG
from tunefast.store.snapshot import StudySnapshot

SPEC = """
[study]
name = "{name}"
sampler = {{ name = "random" }}
pruner = {pruner}
[budget]
trials = {trials}
[trial]
checkpoint_seconds = 1000
[recipe]
epochs = 4
data = {{ name = "digits" }}
model = {{ name = "mlp", width = 16, depth = 1 }}
optimizer = {{ name = "adamw" }}
schedule = {{ name = "cosine" }}
[space]
"optimizer.lr" = {{ low = 1e-4, high = 1e-1, log = true }}
"""
PRUNERS = {
    "whole": '{ name = "none" }',
    "held": '{ name = "asha", min_epochs = 1, reduction = 2, promote = true }',
}


def run(terminal: Terminal, name: str, *, trials: int) -> StudySnapshot:
    """A study under one of the pruners, with two workers."""
    pruner = PRUNERS[name]
    terminal.write(f"{name}.toml", SPEC.format(name=name, pruner=pruner, trials=trials))
    terminal.tunefast("study", "run", f"{name}.toml", "-n", "2")
    return terminal.study(name)


def test_a_trial_that_waits_at_every_rung(terminal: Terminal) -> None:
    """Alone, a trial waits at both rungs and goes on as the best; it is as if it had not waited."""
    whole, held = (run(terminal, name, trials=1) for name in PRUNERS)
    assert [(row["attempt"], row["reason"]) for row in held.attempts] == [(1, AT_RUNG), (2, AT_RUNG), (3, "")]
    assert [row["attempt"] for row in held.epochs] == [1, 2, 3, 3]  # nothing was trained again
    [alone], [other] = held.trials, whole.trials
    assert (alone.values, alone.intermediate_values) == (other.values, other.intermediate_values)


def test_a_promoted_trial_equals_an_uninterrupted_one(terminal: Terminal) -> None:
    """Trials that waited have the curves, bit for bit, that they have without a pause, as far as they got."""
    whole, held = (run(terminal, name, trials=6) for name in PRUNERS)
    assert [trial.params for trial in held.trials] == [trial.params for trial in whole.trials]
    for trial, other in zip(held.trials, whole.trials, strict=True):
        reached = trial.intermediate_values
        assert reached == {epoch: other.intermediate_values[epoch] for epoch in range(1, len(reached) + 1)}
    waited = {row["trial"] for row in held.attempts if row["reason"] == AT_RUNG}
    assert waited >= {row["trial"] for row in held.attempts if row["attempt"] > 1}
    words = [(trial.state.name, trial.user_attrs.get("reason")) for trial in held.trials]
    assert set(words) == {("COMPLETE", None), ("PRUNED", "pruner")}
    places = terminal.database.with_name(terminal.database.name + ".tunefast").glob(f"trials/{held.uuid}/*/checkpoints")
    complete = {trial.number for trial in held.trials if trial.state.name == "COMPLETE"}
    assert {int(place.parent.name) for place in places} <= complete  # those of pruned trials are gone at the end
