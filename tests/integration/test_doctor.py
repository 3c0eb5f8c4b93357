"""`tunefast doctor` on real trainings: a spec that trains faster, in the time that it has, and those of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.processes import Terminal
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.spec.load import load_spec

SPEC = """
# kept as it is
[study]
name = "s"
[budget]
trials = 1
[recipe]
{recipe}
"""
HANGS = """
import time

print("as compilers do")

def augment(inputs, targets):
    if len(inputs) > 64:
        time.sleep(600)
    return inputs, targets
"""


def test_a_spec_that_trains_faster(terminal: Terminal) -> None:
    """What surely helps is written into a spec beside the old one, whose comments it keeps; that one stays as it is."""
    recipe = """
data = { name = "digits" }
model = { name = "mlp", width = 16 }
batch_size = 8
accumulation_steps = 16
"""
    path = terminal.write("s.toml", SPEC.format(recipe=recipe))
    before = path.read_text()
    said = terminal.tunefast("doctor", "s.toml", "--seconds", "8", "--threads", "1", "--apply").stdout
    assert "accumulation_steps = 1\n" in said
    assert "Written: s.faster.toml" in said
    assert path.read_text() == before
    written = terminal.directory / "s.faster.toml"
    assert "# kept as it is" in written.read_text()
    assert load_spec(written).study.name == f"{load_spec(path).study.name}-faster"
    faster = load_spec(written).recipe_for({})
    assert isinstance(faster, TrainingRecipe)
    assert (faster.batch_size, faster.accumulation_steps) == (128, 1)
    again = terminal.tunefast("doctor", "s.toml", "--apply", code=2).stderr
    assert "s.faster.toml is there already" in again


def test_the_time_is_kept(terminal: Terminal) -> None:
    """What has no end is ended when the time is over, and told with what there was no time for; prints go nowhere."""
    terminal.write("hangs.py", HANGS)
    recipe = """
data = { name = "digits" }
model = { name = "mlp", width = 8 }
batch_size = 64
augment = { own = { path = "hangs:augment" } }
"""
    terminal.write("s.toml", SPEC.format(recipe=recipe))
    found = terminal.json("doctor", "s.toml", "--seconds", "5", "--threads", "1")
    left_out = {each["remedy"]: each["why"] for each in found["failed"]}
    assert left_out["batches of 128"] == "it had not ended when the time was over"
    assert left_out["compile the model"] == "the time was over before"
    assert sum(found["anatomy"]["phases"].values()) > 0
    assert found["floor_seconds"] > 0


TELLS = """
import os

def augment(inputs, targets):
    with open("caches.txt", "w") as file:
        file.write(os.environ["TORCHINDUCTOR_CACHE_DIR"])
    return inputs, targets
"""


def test_nothing_that_was_compiled_before_counts(terminal: Terminal, tmp_path: Path) -> None:
    """What compiling costs once is measured without what earlier runs have left on the disk, and leaves nothing."""
    terminal.write("tells.py", TELLS)
    recipe = 'data = { name = "digits" }\naugment = { own = { path = "tells:augment" } }'
    terminal.write("s.toml", SPEC.format(recipe=recipe))
    kept = tmp_path / "kept"
    terminal.environment["TORCHINDUCTOR_CACHE_DIR"] = str(kept)
    terminal.tunefast("doctor", "s.toml", "--seconds", "1", "--threads", "1")
    used = Path((terminal.directory / "caches.txt").read_text())
    assert used != kept
    assert not used.exists()


OWN = """
import time

def sleeps(recipe, context):
    while True:
        time.sleep(0.05)
        yield {"val_accuracy": 1.0, "eval_seconds": 0.001}

def asks_nobody(trial):
    trial.suggest_float("lr", 0.1, 1.0)
    for step in range(10**6):
        spin(0.05)
        try:
            trial.report(0.5, step)
        except Exception:
            pass
    return 0.5

def spin(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass

def fails(recipe, context):
    raise ZeroDivisionError("no")
"""
PROGRAM = """
import json
from mine import spin

while True:
    spin(0.05)
    print(json.dumps({"val_accuracy": 1.0}), flush=True)
"""
OWN_RECIPES = {
    "waiting": ('objective = "mine:sleeps"', "waiting"),
    "optuna": ('objective = "mine:asks_nobody"\nstyle = "optuna"', "one core"),
    "program": ('command = "python program.py"', "one core"),
}


@pytest.mark.parametrize("kind", OWN_RECIPES)
def test_a_training_of_ones_own(terminal: Terminal, kind: str) -> None:
    """Of a function, an Optuna objective and a program it is told how long epochs take, and whether they compute."""
    recipe, limit = OWN_RECIPES[kind]
    terminal.write("mine.py", OWN)
    terminal.write("program.py", PROGRAM)
    terminal.write("s.toml", SPEC.format(recipe=recipe))
    found = terminal.json("doctor", "s.toml", "--seconds", "6", "--threads", "2")
    assert found["limit"] == limit
    assert found["anatomy"]["seconds_an_epoch"] >= 0.05
    assert (found["anatomy"]["eval_share"] is not None) == (kind == "waiting")
    assert [each["threads"] for each in found["remedies"]] == [1] or found["failed"]


def test_what_cannot_be_examined(terminal: Terminal) -> None:
    """Own training that fails, or is to be changed, and shipped studies that are, are refused in words."""
    terminal.write("mine.py", OWN)
    terminal.write("s.toml", SPEC.format(recipe='objective = "mine:fails"'))
    assert "ZeroDivisionError" in terminal.tunefast("doctor", "s.toml", "--seconds", "2", code=2).stderr
    said = terminal.tunefast("doctor", "s.toml", "--apply", code=2).stderr
    assert "--apply changes tunefast's own recipes" in " ".join(said.split())
    refused = terminal.tunefast("doctor", "digits", "--apply", code=2).stderr
    assert "copy it first" in " ".join(refused.split())
