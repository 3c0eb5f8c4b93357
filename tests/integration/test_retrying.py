"""`tunefast study retry`, and trials that need more memory than there is."""

from __future__ import annotations

import json

import pytest

from tests.integration.processes import Terminal

CODE = """
from pathlib import Path

def run(recipe, context):
    if not Path("mended").exists() and recipe.params["x"] in (1, 3):
        raise ValueError("not mended yet")
    yield {"val_accuracy": recipe.params["x"] / 10}
"""
SPEC = """
[study]
name = "s"
sampler = {{ name = "{sampler}" }}
[budget]
trials = 4
[recipe]
objective = "mine:run"
epochs = 1
[space]
"params.x" = {{ choices = [0, 1, 2, 3] }}
"""


@pytest.mark.parametrize("sampler", ["grid", "random"])
def test_failed_trials_are_tried_again(terminal: Terminal, sampler: str) -> None:
    """They get their own place in the budget again, with the same settings, and the failed ones stay to be seen."""
    terminal.write("mine.py", CODE)
    terminal.write("s.toml", SPEC.format(sampler=sampler))
    terminal.tunefast("study", "run", "s.toml", "-n", "1")
    before = terminal.study("s")
    failed = [trial.number for trial in before.trials if trial.state.name == "FAIL"]
    (terminal.directory / "mended").touch()
    again = terminal.json("study", "retry", "s")["retried"]
    assert [int(number) for number in again] == failed
    assert terminal.tunefast("study", "retry", "s").stdout.startswith("No trial of study s has failed")
    terminal.tunefast("study", "run", "s", "-n", "1")
    study = terminal.study("s")
    assert study.counts == {"complete": 4, **({"retried": len(failed)} if failed else {})}
    for old, new in again.items():
        assert study.trial(new).params == study.trial(int(old)).params
        assert f"tries trial {old} again" in terminal.tunefast("study", "show", "s", "--trial", str(new)).stdout
        assert f"trial {new} tries it again" in terminal.tunefast("study", "show", "s", "--trial", old).stdout
    rows = {row["trial"]: row for row in terminal.json("study", "show", "s")["trials"]}
    assert [rows[number]["state"] for number in failed] == ["retried"] * len(failed)
    assert [rows[new]["retry_of"] for new in again.values()] == failed
    if sampler == "grid":
        assert sorted(trial.params["params.x"] for trial in study.trials if trial.value is not None) == [0, 1, 2, 3]


def test_which_trials_cannot_be_tried_again(terminal: Terminal) -> None:
    """One that did not fail, or waits already, or is not there: one message, exit code 2, nothing queued."""
    terminal.write("mine.py", CODE)
    terminal.write("s.toml", SPEC.format(sampler="grid"))
    terminal.tunefast("study", "run", "s.toml", "-n", "1")
    trials = terminal.study("s").trials
    bad = [trial.number for trial in trials if trial.state.name == "FAIL"]
    good = [trial.number for trial in trials if trial.number not in bad]

    def said(number: int) -> str:
        return terminal.tunefast("study", "retry", "s", "--trial", str(number), code=2).stderr

    assert f"trial {good[0]} of study 's' did not fail; failed: {bad[0]}, {bad[1]}" in said(good[0])
    assert "has no trial 17" in said(17)
    terminal.tunefast("study", "retry", "s", "--trial", str(bad[0]))
    assert f"trial {bad[0]} of study 's' is tried again already" in said(bad[0])
    assert len(terminal.study("s").trials) == 5


MODEL = """
import torch

class Greedy(torch.nn.Module):
    def __init__(self, limit=16):
        super().__init__()
        self.layer, self.limit = torch.nn.Linear(64, 10), limit

    def forward(self, images):
        if self.training and len(images) > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 PiB.")
        return self.layer(images.flatten(1))
"""
OWN = """
[study]
name = "s"
sampler = {{ name = "grid" }}
pruner = {{ name = "none" }}
[trial]
oom = "{oom}"
[recipe]
epochs = 2
data = {{ name = "digits" }}
model = {{ name = "own", path = "greedy:Greedy" }}
optimizer = {{ name = "sgd", lr = 0.1 }}
[space]
batch_size = {{ choices = [16, 64] }}
"""


def _ran(terminal: Terminal, oom: str) -> dict[int, dict[str, object]]:
    terminal.write("greedy.py", MODEL)
    terminal.write("s.toml", OWN.format(oom=oom))
    terminal.tunefast("study", "create", "s.toml", "--skip-check")
    terminal.tunefast("study", "run", "s", "-n", "1")
    shown = terminal.json("study", "show", "s")["trials"]
    return {trial["params"]["batch_size"]: trial for trial in shown}


def test_too_much_memory_is_infeasible(terminal: Terminal) -> None:
    """A trial that needs more memory than there is ends as infeasible, and the others go on."""
    trials = _ran(terminal, "infeasible")
    assert (trials[16]["state"], trials[64]["state"]) == ("complete", "infeasible")
    assert "1 of them needed more memory" in terminal.tunefast("study", "run", "s").stdout


def test_batches_are_split(terminal: Terminal) -> None:
    """Where the spec says so its batches are halved until they fit, which is recorded, and it is the same training."""
    trials = _ran(terminal, "split")
    assert (trials[16]["state"], trials[64]["state"]) == ("complete", "complete")
    number = str(trials[64]["trial"])
    shown = terminal.tunefast("study", "show", "s", "--trial", number).stdout
    assert "its batches were halved 2 times for lack of memory" in shown
    recipe = terminal.json("study", "show", "s", "--trial", number)["recipe"]
    assert (recipe["batch_size"], recipe["accumulation_steps"]) == (16, 4)
    terminal.tunefast("train", "--study", "s", "--trial", number, "-o", "out")
    written = json.loads((terminal.directory / "out" / "metrics.json").read_text())
    assert written["metrics"]["val_accuracy"] == trials[64]["value"]


LINGERING = """
import threading

def run(recipe, context):
    if recipe.params["x"] == 1:
        threading.Thread(target=threading.Event().wait).start()
        raise MemoryError
    yield {"val_accuracy": 0.5}
"""


def test_a_worker_that_would_not_end(terminal: Terminal) -> None:
    """A process with threads that never end is gone when it is replaced, and the study goes on."""
    terminal.write("mine.py", LINGERING)
    terminal.write("s.toml", SPEC.format(sampler="grid"))
    terminal.tunefast("study", "run", "s.toml", "-n", "1")
    assert terminal.study("s").counts == {"complete": 3, "infeasible": 1}
