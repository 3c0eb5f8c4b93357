"""What docs/models.md says about loading a model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tunefast
from tests.integration.processes import REPOSITORY
from tunefast.run.jobs import job_of_spec
from tunefast.run.model_files import Export
from tunefast.run.training import train_job
from tunefast.spec.load import parse_spec
from tunefast.spec.progress import EpochReport

BLOCKS = re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs" / "models.md").read_text(), re.DOTALL)
DIGITS = {
    "data": {"name": "digits", "fraction": 0.2},
    "model": {"name": "mlp", "width": 8},
    "augment": {"crop_padding": 1},
}
FLOWERS = {"data": {"name": "npz", "file": "flowers.npz"}, "model": {"name": "torchvision", "arch": "resnet18"}}


class Silent:
    """Follows a training without a word."""

    def report(self, report: EpochReport) -> None:
        """Nothing."""

    def resumed(self, epoch: int) -> None:
        """Nothing."""

    def stopping(self) -> bool:
        """Never."""
        return False


def trained(recipe: dict[str, Any], directory: str, *exports: Export) -> torch.nn.Module:
    """The model of a recipe, trained for an epoch into `directory` and exported."""
    spec = parse_spec({"study": {"name": "m"}, "budget": {"trials": 1}, "recipe": {"epochs": 1, **recipe}})
    job = job_of_spec(spec)._replace(threads=1)
    for export in exports or (None,):
        assert train_job(job, "cpu", Path(directory), Silent(), export) is not None
    return tunefast.load_model(directory)


def run(block: str) -> dict[str, Any]:
    """Run a block of the page; the names that it made."""
    made: dict[str, Any] = {}
    exec(compile(block, "docs/models.md", "exec"), made)  # noqa: S102
    return made


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)


def test_the_page_loads_the_model_in_each_way() -> None:
    """Exports and `load_model`, as the page has them, agree on what the network says."""
    ours = trained(DIGITS, "digits-trial-17", "torch", "onnx")
    images = torch.rand(5, 1, 8, 8) * 255
    wanted = ours(images)
    exported, onnx, loaded, _ = BLOCKS
    assert torch.allclose(run(exported)["network"](images), wanted, atol=1e-4)
    (logits,) = run(onnx)["session"].run(["outputs"], {"inputs": images.numpy()})
    assert np.allclose(logits, wanted.numpy(), atol=1e-4)
    names = run(loaded)
    assert torch.equal(names["network"].eval()(images), wanted)
    assert torch.equal(names["network"].head(names["features"]).softmax(dim=1), names["probabilities"])


def test_the_page_puts_the_weights_into_torchvisions_network() -> None:
    """The names are mapped so that torchvision's own resnet18 takes every tensor, and says the same."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(40, 64, 64, 3), dtype=np.uint8)
    np.savez("flowers.npz", inputs=images, targets=np.arange(40) % 4)
    ours = trained(FLOWERS, "flowers")
    names = run(BLOCKS[3])
    batch = torch.from_numpy(images[:5]).permute(0, 3, 1, 2).float()
    theirs = names["network"](batch * names["scale"] + names["shift"])
    assert torch.allclose(theirs, ours(batch), atol=1e-4)
