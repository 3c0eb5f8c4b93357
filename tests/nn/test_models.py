"""The networks that are trained from random weights."""

from __future__ import annotations

import itertools
import typing

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tunefast.nn.models import Activation, Pool, Residual, mlp, resnet9, small_cnn
from tunefast.nn.network import Network


@given(
    shape=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    outputs=st.integers(2, 12),
    width=st.integers(1, 9),
    depth=st.integers(0, 3),
    batch_norm=st.booleans(),
)
def test_mlp_shapes(*, shape: list[int], outputs: int, width: int, depth: int, batch_norm: bool) -> None:
    """Any sample becomes as many numbers as asked for, and each hidden layer is a block."""
    model = mlp(shape, outputs, width=width, depth=depth, dropout=0.0, batch_norm=batch_norm)
    assert model(torch.randn(4, *shape)).shape == (4, outputs)
    assert len(model.blocks()) == depth


@given(
    channels=st.integers(1, 4),
    sides=st.tuples(st.integers(4, 13), st.integers(4, 13)),
    outputs=st.integers(2, 12),
    depth=st.integers(1, 2),
    batch_norm=st.booleans(),
)
def test_small_cnn_shapes(*, channels: int, sides: tuple[int, int], outputs: int, depth: int, batch_norm: bool) -> None:
    """Images of any size, odd and oblong ones too, become as many numbers as asked for."""
    model = small_cnn((channels, *sides), outputs, width=3, depth=depth, dropout=0.0, batch_norm=batch_norm)
    assert model(torch.randn(4, channels, *sides)).shape == (4, outputs)
    assert len(model.blocks()) == depth


def test_no_bias_before_batch_norm() -> None:
    """A bias that batch norm would take away again is not trained."""
    for batch_norm in (False, True):
        model = small_cnn((1, 8, 8), 10, width=4, depth=2, dropout=0.0, batch_norm=batch_norm)
        biases = [module.bias is not None for module in model.modules() if isinstance(module, nn.Conv2d)]
        assert biases == [not batch_norm] * 2


def _resnet9(
    width: int = 4,
    depth: int = 3,
    residual: Residual = "outer",
    activation: Activation = "relu",
    pool: Pool = "max",
    output_scale: float = 0.125,
) -> Network:
    return resnet9(
        (3, 9, 16),
        10,
        width=width,
        depth=depth,
        residual=residual,
        activation=activation,
        pool=pool,
        dropout=0.1,
        output_scale=output_scale,
    )


@pytest.mark.parametrize(
    ("residual", "activation", "pool"),
    [*itertools.product(typing.get_args(Residual), ["relu"], typing.get_args(Pool))]
    + [("outer", activation, "max") for activation in typing.get_args(Activation)],
)
def test_resnet9_variants(residual: Residual, activation: Activation, pool: Pool) -> None:
    """Every variant makes outputs of oblong images, and gives every parameter a gradient."""
    model = _resnet9(residual=residual, activation=activation, pool=pool).eval()
    outputs = model(torch.randn(4, 3, 9, 16))
    assert outputs.shape == (4, 10)
    outputs.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())


@pytest.mark.parametrize(("residual", "depth", "layers"), [("outer", 3, 9), ("all", 3, 11), ("none", 3, 5)])
def test_resnet9_layers(residual: Residual, depth: int, layers: int) -> None:
    """It has nine layers as published; a block is a stage."""
    model = _resnet9(residual=residual, depth=depth)
    assert sum(isinstance(module, nn.Conv2d | nn.Linear) for module in model.modules()) == layers
    assert len(model.blocks()) == 1 + depth


def test_resnet9_published_size() -> None:
    """At width 64 the convolutions are those of Page's network: 6,568,640 weights."""
    model = resnet9(
        (3, 32, 32),
        10,
        width=64,
        depth=3,
        residual="outer",
        activation="relu",
        pool="max",
        dropout=0.0,
        output_scale=0.125,
    )
    widths = [(3, 64), (64, 128), (128, 128), (128, 128), (128, 256), (256, 512), (512, 512), (512, 512)]
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    assert [(module.in_channels, module.out_channels) for module in convolutions] == widths
    assert sum(module.weight.numel() for module in convolutions) == 9 * sum(one * other for one, other in widths)


def test_resnet9_scale() -> None:
    """Outputs are multiplied by the factor."""
    model = _resnet9(output_scale=0.5).eval()
    features = model.backbone(torch.randn(2, 3, 9, 16))
    linear = next(module for module in model.head.modules() if isinstance(module, nn.Linear))
    assert torch.equal(model.head(features), linear(features) * 0.5)
