"""The networks behind the model parts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from tunefast.nn.dropout import KeyedDropout


def mlp(
    input_shape: Sequence[int], num_classes: int, *, width: int, depth: int, dropout: float, batch_norm: bool
) -> nn.Sequential:
    """A multilayer perceptron: [N, *input_shape] -> logits [N, num_classes]."""
    layers: list[nn.Module] = [nn.Flatten()]
    inputs = math.prod(input_shape)
    for _ in range(depth):
        layers.append(nn.Linear(inputs, width))
        if batch_norm:
            layers.append(nn.BatchNorm1d(width))
        layers.append(nn.ReLU())
        if dropout:
            layers.append(KeyedDropout(dropout))
        inputs = width
    layers.append(nn.Linear(inputs, num_classes))
    return nn.Sequential(*layers)


def small_cnn(
    input_shape: Sequence[int], num_classes: int, *, width: int, depth: int, dropout: float, batch_norm: bool
) -> nn.Sequential:
    """Convolutional blocks and a mean: [N, C, H, W] -> logits [N, num_classes]; H and W of at least 2**depth."""
    channels = input_shape[0]
    layers: list[nn.Module] = []
    for block in range(depth):
        outputs = width * 2**block
        layers.append(nn.Conv2d(channels, outputs, kernel_size=3, padding=1, bias=not batch_norm))
        if batch_norm:
            layers.append(nn.BatchNorm2d(outputs))
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
        channels = outputs
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    if dropout:
        layers.append(KeyedDropout(dropout))
    layers.append(nn.Linear(channels, num_classes))
    return nn.Sequential(*layers)
