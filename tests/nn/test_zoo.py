"""What torchvision publishes with its networks."""

from __future__ import annotations

import urllib.error
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.models import SqueezeNet1_1_Weights

from tests.nn.random_weights import random_reference
from tunefast.nn.zoo import IMAGENET_MEAN, IMAGENET_STD, architectures, download, preparation, weight_names


def test_names() -> None:
    """Classification networks are known, and detectors are not."""
    assert {"resnet18", "vgg16", "vit_b_16"} < set(architectures())
    assert not any("rcnn" in name or "quantized" in name for name in architectures())
    assert weight_names("resnet50") == ["IMAGENET1K_V1", "IMAGENET1K_V2", "DEFAULT"]


def test_preparation() -> None:
    """Images are prepared as for ImageNet, or as the weights say."""
    assert preparation("resnet18") == (IMAGENET_MEAN, IMAGENET_STD, 224)
    assert preparation("vit_h_14", "IMAGENET1K_SWAG_E2E_V1").input_size == 518


def test_own_scale() -> None:
    """Inception's own normalisation is torchvision's, undone: what it computes inside from ImageNet's."""
    pixels = torch.rand(1, 3, 4, 4)
    mean, std = torch.tensor(IMAGENET_MEAN).view(3, 1, 1), torch.tensor(IMAGENET_STD).view(3, 1, 1)
    inside = (pixels - mean) / std * (std / 0.5) + (mean - 0.5) / 0.5  # Inception3._transform_input
    ours = preparation("inception_v3")
    assert torch.allclose((pixels - ours.mean[0]) / ours.std[0], inside, atol=1e-6)


def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A download that fails says why and how to do without."""

    def fail(*_args: Any, **_options: Any) -> None:
        raise urllib.error.URLError("no route")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", fail)
    with pytest.raises(ValueError, match=r"cannot download the weights DEFAULT from https.*no route.*give its path"):
        download("squeezenet1_1", "DEFAULT")


def test_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that are in torch's cache need no network."""
    _, state = random_reference("squeezenet1_1")
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(state, folder / Path(SqueezeNet1_1_Weights.DEFAULT.url).name)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    loaded = download("squeezenet1_1", "IMAGENET1K_V1")
    assert all(torch.equal(loaded[name], value) for name, value in state.items())
