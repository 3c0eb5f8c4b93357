"""New heads on feature maps."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tunefast.nn.dropout import KeyedDropout
from tunefast.nn.heads import HeadOptions, HeadPool, dense_head, with_head


@pytest.mark.parametrize(("pool", "features"), [("avg", 4), ("max", 4), ("flatten", 24)])
def test_pooling_ends_the_backbone(pool: HeadPool, features: int) -> None:
    """Features come out of the backbone pooled and flat, so that what is cached of them is small."""
    network = with_head(nn.Sequential(nn.Conv2d(3, 4, 1)), (4, 2, 3), 5, HeadOptions(pool))
    images = torch.randn(6, 3, 2, 3)
    maps = network.backbone.get_submodule("0")(images)
    expected = {"avg": maps.mean((2, 3)), "max": maps.amax((2, 3)), "flatten": maps.flatten(1)}[pool]
    assert network.backbone(images).shape == (6, features)
    assert torch.allclose(network.backbone(images), expected, atol=1e-6)
    assert network(images).shape == (6, 5)


def test_vectors_stay() -> None:
    """Features that are vectors already are neither pooled nor flattened."""
    network = with_head(nn.Sequential(nn.Linear(3, 4)), (4,), 5, HeadOptions("max"))
    assert len(list(network.backbone.children())) == 1
    assert network(torch.randn(6, 3)).shape == (6, 5)


def test_layers() -> None:
    """Dropout follows each hidden layer; without any it works on the features, and without a rate there is none."""

    def kinds(*hidden: int, dropout: float) -> list[type[nn.Module]]:
        return [type(layer) for layer in dense_head(7, 5, HeadOptions("avg", hidden, dropout))]

    assert kinds(dropout=0.0) == [nn.Linear]
    assert kinds(dropout=0.5) == [KeyedDropout, nn.Linear]
    assert kinds(8, 6, dropout=0.5) == [nn.Linear, nn.ReLU, KeyedDropout] * 2 + [nn.Linear]
    linear = [layer for layer in dense_head(7, 5, HeadOptions("avg", (8, 6))) if isinstance(layer, nn.Linear)]
    assert [layer.out_features for layer in linear] == [8, 6, 5]
