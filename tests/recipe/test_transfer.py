"""Transfer learning: what is frozen stays bit for bit, and what is not trains."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from tunefast.nn.dropout import seed_dropout
from tunefast.nn.network import Network
from tunefast.recipe.models import SmallCnn, Torchvision
from tunefast.recipe.transfer import Transfer


def _network() -> Network:
    """Three blocks with batch norm, and a head with dropout."""
    network = SmallCnn(width=4, depth=3, dropout=0.3).build((3, 8, 8), 5)
    seed_dropout(network, torch.Generator())
    return network


def _train(transfer: Transfer, network: Network, epochs: int, side: int = 8) -> None:
    """Epochs of one step each, with momentum and weight decay, both of which could move frozen weights."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1, weight_decay=0.5)
    for epoch in range(1, epochs + 1):
        network.train()
        transfer.apply(network, epoch)
        network(torch.randn(4, 3, side, side)).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def _state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def _changed(module: nn.Module, before: dict[str, Tensor]) -> list[bool]:
    return [not torch.equal(value, before[name]) for name, value in module.state_dict().items()]


def test_nothing_frozen() -> None:
    """By default everything trains, batch norm's statistics included."""
    network = _network()
    before = _state(network)
    _train(Transfer(), network, 2)
    assert all(_changed(network, before))


@pytest.mark.parametrize("options", [{"freeze": "backbone"}, {"freeze": "blocks"}])
def test_frozen_backbone(options: dict[str, Any]) -> None:
    """No tensor of a frozen backbone changes by a bit, under weight decay and with batch norm; the head trains."""
    network, transfer = _network(), Transfer.model_validate(options)
    backbone, head = _state(network.backbone), _state(network.head)
    _train(transfer, network, 3)
    assert not any(_changed(network.backbone, backbone))
    assert all(_changed(network.head, head))
    assert transfer.caches_features


@pytest.mark.parametrize("train_blocks", [1, 2])
def test_frozen_blocks(train_blocks: int) -> None:
    """The last blocks and the head train; the blocks before stay, statistics included."""
    network, transfer = _network(), Transfer(freeze="blocks", train_blocks=train_blocks)
    before = [_state(block) for block in network.blocks()]
    _train(transfer, network, 3)
    changed = [_changed(block, state) for block, state in zip(network.blocks(), before, strict=True)]
    assert not any(any(block) for block in changed[:-train_blocks])
    assert all(all(block) for block in changed[-train_blocks:])
    assert not transfer.caches_features


def test_more_blocks_than_there_are() -> None:
    """Asking for more blocks than the network has would freeze nothing, and is refused with their number."""
    num_blocks = len(_network().blocks())
    with pytest.raises(ValueError, match=f"train_blocks = 9: the model has {num_blocks} blocks"):
        Transfer(freeze="blocks", train_blocks=9).check(_network())


def test_options_that_would_do_nothing() -> None:
    """Options of a freeze that is not asked for are refused with what they go with."""
    with pytest.raises(ValidationError, match="train_blocks = 2 goes with freeze"):
        Transfer(train_blocks=2)
    with pytest.raises(ValidationError, match="unfreeze_epoch = 2: nothing is frozen"):
        Transfer(unfreeze_epoch=2)


@pytest.mark.parametrize("freeze", ["backbone", "blocks"])
def test_unfreeze(freeze: str) -> None:
    """The backbone stays until the epoch before the one named, and trains from that on."""
    network, transfer = _network(), Transfer.model_validate({"freeze": freeze, "unfreeze_epoch": 3})
    before = _state(network.backbone)
    _train(transfer, network, 2)
    assert not any(_changed(network.backbone, before))
    _train(transfer, network, 3)
    assert all(_changed(network.backbone, before))
    assert transfer.frozen_modules(network, 2) == [network.backbone]
    assert transfer.frozen_modules(network, 3) == []
    assert not transfer.caches_features


def test_modes() -> None:
    """Frozen modules are in evaluation mode, also after the network was told to train, and the rest keeps its mode."""
    network, transfer = _network(), Transfer(freeze="blocks", train_blocks=1)
    network.train()
    transfer.apply(network, 1)
    assert [block.training for block in network.blocks()] == [False, False, True]
    assert network.head.training
    network.eval()
    transfer.apply(network, 1)
    assert not any(module.training for module in network.modules())


def test_loose_parameters_freeze() -> None:
    """Parameters before the first block, such as a timm model's class token, freeze with the first blocks."""
    backbone = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    backbone.register_parameter("token", nn.Parameter(torch.ones(3)))
    network = Network(backbone, nn.Linear(3, 2), list(backbone))
    Transfer(freeze="blocks", train_blocks=1).apply(network, 1)
    trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert trained == {"backbone.1.weight", "backbone.1.bias", "head.weight", "head.bias"}


def test_stages_of_a_resnet() -> None:
    """A block of torchvision's ResNet is a stage: the last one trains, the stem and the three others stay."""
    network = Torchvision().build((3, 32, 32), 5)
    before = _state(network.backbone)
    _train(Transfer(freeze="blocks", train_blocks=1), network, 1, side=64)
    changed = {
        name.partition(".")[0]
        for name, value in network.backbone.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed == {"layer4"}


@pytest.mark.parametrize(
    "options",
    [{"freeze": "head"}, {"train_blocks": -1}, {"unfreeze_epoch": 1}, {"backbone_lr_factor": 0.0}, {"unfreeze": 2}],
)
def test_out_of_range(options: dict[str, Any]) -> None:
    """Options that freeze nothing there is, or for no time, are refused."""
    with pytest.raises(ValidationError):
        Transfer.model_validate(options)
