"""A process that trains starts fast: it loads no compiler where nothing is compiled."""

from __future__ import annotations

import subprocess
import sys

PROBE = """
import sys
import torch
from tunefast.recipe.recipe import RECIPE
from tunefast.spec.progress import Answer, Verdict
from tunefast.train.checkpoint import Checkpoints
from tunefast.train.loop import open_lane
from tunefast.train.state import capture

for name in ("sgd", "adagrad", "rmsprop", "adam", "adamw", "muon"):
    recipe = RECIPE.validate_python({"data": {"name": "digits", "fraction": 0.1}, "optimizer": {"name": name}})
    lane = open_lane(recipe, 0, torch.device("cpu"))
    lane.train_epoch(1)
    lane.evaluate()
    assert lane.details()["forward_flops"] > 0
    capture(lane)
    print(name, [name for name in ("torch._dynamo", "sympy", "torchvision", "torchmetrics") if name in sys.modules])
"""


def test_training_loads_no_compiler() -> None:
    """Training with any optimizer, evaluating, counting operations and writing down the state import no compiler."""
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 6
    assert all(line.endswith("[]") for line in lines), done.stdout
