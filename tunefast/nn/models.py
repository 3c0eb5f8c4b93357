"""The networks that are trained from random weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from tunefast.nn.dropout import KeyedDropout
from tunefast.nn.network import Network

Activation = Literal["relu", "silu", "gelu", "celu"]
Pool = Literal["max", "avg"]
Residual = Literal["outer", "all", "none"]


def mlp(
    input_shape: Sequence[int], num_outputs: int, *, width: int, depth: int, dropout: float, batch_norm: bool
) -> Network:
    """A multilayer perceptron: [N, *input_shape] -> [N, num_outputs]; the head is the last layer."""
    blocks: list[nn.Module] = []
    inputs = math.prod(input_shape)
    for _ in range(depth):
        layers: list[nn.Module] = [nn.Linear(inputs, width)]
        if batch_norm:
            layers.append(nn.BatchNorm1d(width))
        layers.append(nn.ReLU())
        if dropout:
            layers.append(KeyedDropout(dropout))
        blocks.append(nn.Sequential(*layers))
        inputs = width
    return Network(nn.Sequential(nn.Flatten(), *blocks), nn.Linear(inputs, num_outputs))


def small_cnn(
    input_shape: Sequence[int], num_outputs: int, *, width: int, depth: int, dropout: float, batch_norm: bool
) -> Network:
    """Convolutional blocks and a mean: [N, C, H, W] -> [N, num_outputs]; H and W of at least 2**depth."""
    channels = input_shape[0]
    blocks: list[nn.Module] = []
    for block in range(depth):
        outputs = width * 2**block
        layers: list[nn.Module] = [nn.Conv2d(channels, outputs, kernel_size=3, padding=1, bias=not batch_norm)]
        if batch_norm:
            layers.append(nn.BatchNorm2d(outputs))
        # The largest of four after ReLU is ReLU of the largest: in this order it works on a quarter of the values.
        blocks.append(nn.Sequential(*layers, nn.MaxPool2d(2), nn.ReLU(inplace=True)))
        channels = outputs
    head: list[nn.Module] = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    if dropout:
        head.append(KeyedDropout(dropout))
    return Network(nn.Sequential(*blocks), nn.Sequential(*head, nn.Linear(channels, num_outputs)))


def resnet9(
    input_shape: Sequence[int],
    num_outputs: int,
    *,
    width: int,
    depth: int,
    residual: Residual,
    activation: Activation,
    pool: Pool,
    dropout: float,
    output_scale: float,
) -> Network:
    """A shallow residual network for small images: [N, C, H, W] -> [N, num_outputs]; H and W of at least 2**depth.

    Pooling comes before normalisation and activation, which then work on a quarter of the values.
    """
    blocks: list[nn.Module] = [_convolution(input_shape[0], width, activation)]
    channels = width
    for stage in range(depth):
        layers: list[nn.Module] = [_convolution(channels, 2 * channels, activation, pool)]
        channels *= 2
        if residual == "all" or (residual == "outer" and stage in {0, depth - 1}):
            pair = (_convolution(channels, channels, activation), _convolution(channels, channels, activation))
            layers.append(Shortcut(nn.Sequential(*pair)))
        blocks.append(nn.Sequential(*layers))
    last = nn.AdaptiveMaxPool2d(1) if pool == "max" else nn.AdaptiveAvgPool2d(1)
    head: list[nn.Module] = [KeyedDropout(dropout)] if dropout else []
    head += [nn.Linear(channels, num_outputs), Scale(output_scale)]
    return Network(nn.Sequential(*blocks, last, nn.Flatten()), nn.Sequential(*head))


class Shortcut(nn.Module):
    """``x + branch(x)``, for a branch that keeps the shape."""

    def __init__(self, branch: nn.Module) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, x: Tensor) -> Tensor:
        """The sum, of the shape of `x`."""
        change: Tensor = self.branch(x)
        return x + change


class Scale(nn.Module):
    """Multiplies by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """`x` times the factor."""
        return x * self.factor

    def extra_repr(self) -> str:
        """The factor, for printing."""
        return f"factor={self.factor}"


def _convolution(inputs: int, outputs: int, activation: Activation, pool: Pool | None = None) -> nn.Sequential:
    """A convolution of 3x3, pooled to half the size if told to, then batch norm and the activation."""
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False)]
    if pool is not None:
        layers.append(nn.MaxPool2d(2) if pool == "max" else nn.AvgPool2d(2))
    return nn.Sequential(*layers, nn.BatchNorm2d(outputs), _activation(activation))


def _activation(name: Activation) -> nn.Module:
    match name:
        case "relu":
            return nn.ReLU(inplace=True)
        case "silu":
            return nn.SiLU(inplace=True)
        case "gelu":
            return nn.GELU()
        case "celu":
            return nn.CELU(alpha=0.3, inplace=True)  # the alpha of Page's network
