"""Networks are cut into a backbone of blocks and a head."""

from __future__ import annotations

import copy

import torch
from torch import nn

from tunefast.nn.network import Network, grouped


def _names(blocks: nn.Sequential) -> list[str]:
    return [name for name, _ in blocks.named_children()]


def test_forward() -> None:
    """Outputs are the head's of the backbone's features."""
    network = Network(nn.Linear(3, 4), nn.Linear(4, 2))
    inputs = torch.randn(5, 3)
    assert torch.equal(network(inputs), network.head(network.backbone(inputs)))
    assert network(inputs).shape == (5, 2)


def test_blocks() -> None:
    """Blocks are the backbone's children that have parameters, in order; a single layer is its own block."""
    first, second = nn.Linear(3, 3), nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    assert Network(nn.Sequential(nn.Flatten(), first, nn.ReLU(), second), nn.Identity()).blocks() == [first, second]
    assert Network(first, nn.Identity()).blocks() == [first]
    assert Network(nn.Flatten(), nn.Identity()).blocks() == []


def test_given_blocks() -> None:
    """Blocks that a backbone does not have as children can be named, and follow a copy of the network."""
    backbone = nn.Sequential(nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)))
    network = Network(backbone, nn.Linear(3, 2), list(backbone[0].children()))
    assert network.blocks() == list(backbone[0].children())
    copied = copy.deepcopy(network)
    assert copied.blocks() == list(copied.get_submodule("backbone.0").children()) != network.blocks()
    assert list(copied.state_dict()) == list(Network(backbone, nn.Linear(3, 2)).state_dict())


def test_grouped_stages() -> None:
    """Loose layers join the block before them, so a stem is one block and a last norm none of its own."""
    stage = nn.Sequential(nn.Conv2d(4, 4, 1))
    layers = [("conv", nn.Conv2d(3, 4, 1)), ("norm", nn.BatchNorm2d(4)), ("pool", nn.MaxPool2d(2)), ("stage", stage)]
    blocks = grouped([*layers, ("last", nn.BatchNorm2d(4))])
    assert _names(blocks) == ["conv", "stage"]
    assert blocks(torch.randn(2, 3, 4, 4)).shape == (2, 4, 2, 2)


def test_grouped_by_pooling() -> None:
    """Where all layers are loose, as in VGG, a pooling ends a block."""
    kinds = [nn.Conv2d(3, 3, 1), nn.ReLU(), nn.Conv2d(3, 3, 1), nn.MaxPool2d(2), nn.Conv2d(3, 3, 1), nn.ReLU()]
    blocks = grouped([(f"layer{index}", layer) for index, layer in enumerate(kinds)])
    assert _names(blocks) == ["layer0", "layer4"]
