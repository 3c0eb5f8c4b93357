"""Studies of models, data, losses and metrics that stand in the user's directory."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.integration.processes import Terminal

OWN_CODE = Path(__file__).parents[1] / "own_code.py"
SPEC = """
[study]
name = "shapes"
metric = "val_iou"
direction = "maximize"
[budget]
trials = 6
[recipe]
epochs = 4
batch_size = 32
data = { name = "torch_dataset", path = "shapes:Shapes", as_is = true }
model = { name = "own", path = "shapes:Segmenter" }
loss = { name = "own", path = "torch.nn:CrossEntropyLoss" }
metrics = [{ path = "shapes:Iou" }]
augment = { own = { path = "shapes:flipped" } }
optimizer = { name = "own", path = "torch.optim:NAdam" }
[space]
"optimizer.lr" = { low = 1e-3, high = 1e-1, log = true }
"model.options.width" = { choices = [4, 8] }
"""


@pytest.fixture
def shapes(terminal: Terminal) -> Terminal:
    """A directory with the user's code and spec in it."""
    shutil.copy(OWN_CODE, terminal.directory / "shapes.py")
    terminal.write("s.toml", SPEC)
    return terminal


def test_a_study(shapes: Terminal) -> None:
    """A segmentation study is checked, run, and its best recipe trained and kept, from the user's own directory."""
    found = shapes.json("study", "check", "s.toml", "--seconds", "20")
    assert found["failed"] == 0
    shapes.tunefast("study", "run", "s.toml", "-n", "2")
    study = shapes.study("shapes")
    assert study.best is not None
    assert study.best.value is not None
    assert study.best.value > 0.8
    shapes.tunefast("train", "--study", "shapes", "-o", "kept")
    assert (shapes.directory / "kept" / "model.safetensors").is_file()


def test_a_step_that_fails(shapes: Terminal) -> None:
    """A recipe that fails in its first step is refused at creation, by its settings, and nothing is stored."""
    shapes.write("s.toml", SPEC.replace("choices = [4, 8]", "choices = [4, 8, 0]"))
    said = shapes.tunefast("study", "create", "s.toml", code=2).stderr
    assert "study 'shapes', recipe lr=" in said
    assert "width=0" in said
    assert not shapes.database.exists()


def test_code_that_is_not_there(shapes: Terminal) -> None:
    """A module that cannot be found is named, with the field, at creation and when workers start elsewhere."""
    shapes.write("s.toml", SPEC.replace("shapes:Segmenter", "segments:Segmenter"))
    said = shapes.tunefast("study", "create", "s.toml", code=2).stderr
    assert "model.path = 'segments:Segmenter': there is no module 'segments'" in said
    shapes.write("s.toml", SPEC)
    shapes.tunefast("study", "create", "s.toml")
    (shapes.directory / "shapes.py").rename(shapes.directory / "moved.py")
    said = shapes.tunefast("worker", "start", "shapes", code=2).stderr
    assert "there is no module 'shapes' to be imported from" in said
