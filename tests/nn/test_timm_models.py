"""timm's networks, cut and filled; skipped where timm is not installed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tunefast.nn.heads import HeadOptions
from tunefast.nn.timm_models import num_timm_features, timm_network, timm_preparation

timm = pytest.importorskip("timm", reason="timm is an extra: pip install timm")

ARCHS = ["resnet10t", "vit_tiny_patch16_224", "mobilenetv3_small_050", "convnext_atto"]


@pytest.mark.parametrize("arch", ARCHS)
def test_same_function(arch: str) -> None:
    """With a state dict of timm's, features and outputs are those of timm's own network."""
    fixed = timm.get_pretrained_cfg(arch).fixed_input_size
    reference: nn.Module = timm.create_model(arch, num_classes=5, **({"img_size": 64} if fixed else {})).eval()
    network = timm_network(arch, (3, 64, 64), 5, tensors=dict(reference.state_dict()), source="x").eval()
    classifier = reference.get_classifier()  # type: ignore[operator]
    network.head[0].load_state_dict(classifier.state_dict())  # type: ignore[index]
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(network(images), reference(images), rtol=1e-4, atol=1e-5)
    assert len(network.blocks()) >= 4
    assert not any(type(module).__name__ in {"Dropout", "DropPath"} for module in network.modules())


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("pool", ["avg", "max", "flatten"])
def test_new_head(arch: str, pool: str) -> None:
    """Every pooling ends in flat features of the size that the head was built for, grey images too."""
    options = HeadOptions(pool, (3,), 0.5)  # type: ignore[arg-type]
    network = timm_network(arch, (1, 64, 64), 5, head=options).eval()
    with torch.no_grad():
        features = network.backbone(torch.randn(2, 1, 64, 64))
        assert features.shape == (2, num_timm_features(arch, (1, 64, 64), pool))
        assert network.head(features).shape == (2, 5)


def test_blocks_cover_the_stages() -> None:
    """The stages of a ResNet are its blocks, in order, after the stem."""
    network = timm_network("resnet10t", (3, 64, 64), 5)
    first = [next(block.parameters()) for block in network.blocks()]
    assert len(first) == 5
    for stage, parameter in enumerate(first[1:], start=1):
        assert parameter is next(network.get_submodule(f"backbone.model.layer{stage}").parameters())


def test_wrong_weights() -> None:
    """The state dict of another network is refused with its first missing tensor."""
    state = dict(timm.create_model("convnext_atto").state_dict())
    with pytest.raises(ValueError, match=r"w.pt: does not fit the model: .*the first: conv1\.\S+ is missing"):
        timm_network("resnet10t", (3, 64, 64), 5, tensors=state, source="w.pt")


def test_refuses_pooling() -> None:
    """A pooling that a network has not is refused by name."""
    with pytest.raises(ValueError, match="mixer_s32_224 cannot take images of 64x64 with pool = 'max'"):
        num_timm_features("mixer_s32_224", (3, 64, 64), "max")


def test_preparation() -> None:
    """Images are prepared as timm says for its own weights."""
    mean, std, size = timm_preparation("vit_tiny_patch16_224")
    assert (mean, std, size) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), 224)
