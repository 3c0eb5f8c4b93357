"""The networks behind the model parts."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tunefast.nn.models import mlp, small_cnn


@given(
    shape=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    classes=st.integers(2, 12),
    width=st.integers(1, 9),
    depth=st.integers(0, 3),
    batch_norm=st.booleans(),
)
def test_mlp_shapes(*, shape: list[int], classes: int, width: int, depth: int, batch_norm: bool) -> None:
    """Any sample becomes one logit per class."""
    model = mlp(shape, classes, width=width, depth=depth, dropout=0.0, batch_norm=batch_norm)
    assert model(torch.randn(4, *shape)).shape == (4, classes)


@given(
    channels=st.integers(1, 4),
    sides=st.tuples(st.integers(4, 13), st.integers(4, 13)),
    classes=st.integers(2, 12),
    depth=st.integers(1, 2),
    batch_norm=st.booleans(),
)
def test_small_cnn_shapes(*, channels: int, sides: tuple[int, int], classes: int, depth: int, batch_norm: bool) -> None:
    """Images of any size, odd and oblong ones too, become one logit per class."""
    model = small_cnn((channels, *sides), classes, width=3, depth=depth, dropout=0.0, batch_norm=batch_norm)
    assert model(torch.randn(4, channels, *sides)).shape == (4, classes)


def test_no_bias_before_batch_norm() -> None:
    """A bias that batch norm would take away again is not trained."""
    for batch_norm in (False, True):
        model = small_cnn((1, 8, 8), 10, width=4, depth=2, dropout=0.0, batch_norm=batch_norm)
        biases = [module.bias is not None for module in model.modules() if isinstance(module, nn.Conv2d)]
        assert biases == [not batch_norm] * 2
