"""`tunefast doctor` on real recipes: the right verdict, and a spec that trains faster."""

from __future__ import annotations

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
SLOW = """
import time

def augment(inputs, targets):
    time.sleep(0.02)
    return inputs, targets
"""
RECIPES = {
    "launch": """
data = { name = "digits" }
model = { name = "mlp", width = 8, depth = 6 }
batch_size = 4
""",
    "compute": """
data = { name = "digits" }
model = { name = "mlp", width = 1000, depth = 2 }
optimizer = { name = "sgd", lr = 0.001 }
batch_size = 256
""",
    "data": """
data = { name = "digits" }
model = { name = "mlp", width = 8 }
batch_size = 64
augment = { own = { path = "slow:augment" } }
""",
}


@pytest.mark.parametrize("limit", RECIPES)
def test_the_right_verdict(terminal: Terminal, limit: str) -> None:
    """Recipes built to be bound by their data, by arithmetic and by the cost of a step are told apart."""
    terminal.write("slow.py", SLOW)
    terminal.write("s.toml", SPEC.format(recipe=RECIPES[limit]))
    found = terminal.json("doctor", "s.toml", "--seconds", "4", "--threads", "1")
    assert found["limit"] == limit
    assert found["share"] > 0.4
    assert sum(found["anatomy"]["phases"].values()) > 0
    assert found["floor_seconds"] > 0


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
    faster = load_spec(written).recipe_for({})
    assert isinstance(faster, TrainingRecipe)
    assert (faster.batch_size, faster.accumulation_steps) == (128, 1)
    again = terminal.tunefast("doctor", "s.toml", "--apply", code=2).stderr
    assert "s.faster.toml is there already" in again


def test_what_cannot_be_examined(terminal: Terminal) -> None:
    """Own training, and shipped studies that are to be changed, are refused in words before anything is measured."""
    terminal.write("mine.py", "def run(recipe, context):\n    yield {'val_accuracy': 1.0}\n")
    terminal.write("s.toml", SPEC.format(recipe='objective = "mine:run"'))
    assert "steps cannot be seen from outside" in " ".join(terminal.tunefast("doctor", "s.toml", code=2).stderr.split())
    refused = terminal.tunefast("doctor", "digits", "--apply", code=2).stderr
    assert "copy it first" in " ".join(refused.split())
