"""What a network is made of and what it costs."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
import torchvision
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tunefast.nn.models import mlp, small_cnn
from tunefast.nn.pretrained import torchvision_network
from tunefast.nn.summary import forward_flops, num_parameters, summarize
from tunefast.nn.weights import Unfilled


def test_rows() -> None:
    """Layers come in the order of the call, with the shapes and parameters that they have."""
    network = small_cnn((3, 8, 6), 10, width=4, depth=1, dropout=0.0, batch_norm=True)
    rows = summarize(network, torch.zeros(1, *(3, 8, 6)))
    assert [(row.type, row.output_shape, row.parameters) for row in rows] == [
        ("Conv2d", (4, 8, 6), 108),
        ("BatchNorm2d", (4, 8, 6), 8),
        ("MaxPool2d", (4, 4, 3), 0),
        ("ReLU", (4, 4, 3), 0),
        ("AdaptiveAvgPool2d", (4, 1, 1), 0),
        ("Flatten", (4,), 0),
        ("Linear", (10,), 50),
    ]
    assert rows[0].name == "backbone.0.0"
    assert sum(row.parameters for row in rows) == num_parameters(network) == 166


def test_trains() -> None:
    """A frozen layer is shown as one."""
    network = mlp((5,), 2, width=3, depth=1, dropout=0.0, batch_norm=False)
    network.backbone.requires_grad_(requires_grad=False)
    assert [row.trains for row in summarize(network, torch.zeros(1, *(5,))) if row.parameters] == [False, True]


def test_shared_layer() -> None:
    """A layer that is called twice counts once."""
    layer = nn.Linear(4, 4)
    rows = summarize(nn.Sequential(layer, nn.ReLU(), layer), torch.zeros(1, *(4,)))
    assert [row.parameters for row in rows] == [20, 0, 0]


def test_attention_is_complete() -> None:
    """Parameters that a layer uses without calling their module are in its row."""
    with Unfilled():
        network = torchvision_network("vit_b_32", (3, 64, 64), 5)
    rows = summarize(network, torch.zeros(1, *(3, 64, 64)))
    assert sum(row.parameters for row in rows) == num_parameters(network)


def test_network_stays() -> None:
    """Neither weights, batch norm's statistics, modes nor gradients change."""
    network = small_cnn((1, 8, 8), 3, width=4, depth=2, dropout=0.5, batch_norm=True)
    network.backbone.eval()
    network.head.train()
    modes = [module.training for module in network.modules()]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    summarize(network, torch.zeros(1, *(1, 8, 8)))
    forward_flops(network, torch.zeros(1, *(1, 8, 8)))
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(value.is_meta for value in network.state_dict().values())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_flops_by_hand() -> None:
    """A multiplication and its addition count as two, in convolutions and in linear layers."""
    network = small_cnn((3, 8, 6), 10, width=4, depth=1, dropout=0.0, batch_norm=True)
    assert forward_flops(network, torch.zeros(1, *(3, 8, 6))) == 2 * (8 * 6 * 4 * 3 * 9) + 2 * (4 * 10)
    assert forward_flops(mlp((7,), 3, width=5, depth=2, dropout=0.0, batch_norm=False), torch.zeros(1, *(7,))) == 2 * (
        35 + 25 + 15
    )


def test_flops_as_torch_counts_them() -> None:
    """With weights and without, a network has the operations that torch's own counter finds, attention's too."""
    attention = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    for network, shape in ((attention, (5, 8)), (torchvision.models.mobilenet_v3_small(), (3, 64, 64))):
        example = torch.zeros(2, *shape)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            copy.deepcopy(network).train()(example)
        assert forward_flops(network, example) == counter.get_total_flops() > 0
        assert forward_flops(copy.deepcopy(network).to("meta"), example) == counter.get_total_flops()


class Reader(nn.Module):
    """Reads a sequence with a recurrent layer."""

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, steps: torch.Tensor) -> torch.Tensor:
        """The layer's outputs."""
        outputs: torch.Tensor = self.layer(steps)[0]
        return outputs


@pytest.mark.parametrize(("layer", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
def test_flops_of_recurrent_layers(layer: Callable[..., nn.RNNBase], gates: int) -> None:
    """Each step multiplies by the input's and the state's weights, whatever kernel does it."""
    network = Reader(layer(16, 32, batch_first=True))
    assert forward_flops(network, torch.zeros(1, 10, 16)) == 10 * 2 * gates * (16 + 32) * 32


def test_published_flops() -> None:
    """ResNet-18 and a vision transformer cost what torchvision publishes, in pairs of operations."""
    for arch in ("resnet18", "vit_b_32"):
        with Unfilled():
            network = torchvision_network(arch, (3, 224, 224), 1000)
        published = torchvision.models.get_model_weights(arch).DEFAULT.meta["_ops"]
        assert abs(forward_flops(network, torch.zeros(1, *(3, 224, 224))) / 2e9 - published) < 0.01 * published
