"""New heads for the features of a convolutional backbone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from torch import nn

from tunefast.nn.dropout import KeyedDropout
from tunefast.nn.network import Network

HeadPool = Literal["avg", "max", "flatten"]
_MAP_AXES = 3


class HeadOptions(NamedTuple):
    """How features become outputs."""

    pool: HeadPool = "avg"
    hidden: tuple[int, ...] = ()
    dropout: float = 0.0


def with_head(pieces: nn.Sequential, feature_shape: Sequence[int], num_outputs: int, options: HeadOptions) -> Network:
    """The network of `pieces`, which make features of `feature_shape` ([C, H, W] or [C]), and of a new head.

    Pooling and flattening have no parameters, so they end the backbone: what is cached of a frozen one is small.
    """
    num_features = math.prod(feature_shape)
    if len(feature_shape) == _MAP_AXES:
        if options.pool != "flatten":
            pieces.append(nn.AdaptiveAvgPool2d(1) if options.pool == "avg" else nn.AdaptiveMaxPool2d(1))
            num_features = feature_shape[0]
        pieces.append(nn.Flatten())
    return Network(pieces, dense_head(num_features, num_outputs, options))


def dense_head(num_features: int, num_outputs: int, options: HeadOptions) -> nn.Sequential:
    """Hidden layers with ReLU and a last layer: [N, num_features] -> [N, num_outputs].

    Dropout follows each hidden layer; without any it works on the features.
    """
    layers: list[nn.Module] = []
    for width in options.hidden:
        layers += [nn.Linear(num_features, width), nn.ReLU()]
        if options.dropout:
            layers.append(KeyedDropout(options.dropout))
        num_features = width
    if options.dropout and not options.hidden:
        layers.append(KeyedDropout(options.dropout))
    return nn.Sequential(*layers, nn.Linear(num_features, num_outputs))
