"""Model parts build the network they describe."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from torch import nn

from tunefast.nn.dropout import KeyedDropout
from tunefast.recipe.models import Mlp, SmallCnn


def _count(model: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(module, kind) for module in model.modules())


def test_mlp_options() -> None:
    """Width, depth, dropout and batch norm are those of the network."""
    model = Mlp(width=24, depth=3, dropout=0.2, batch_norm=True).build((1, 8, 8), 10)
    widths = [module.out_features for module in model.modules() if isinstance(module, nn.Linear)]
    assert widths == [24, 24, 24, 10]
    assert (_count(model, KeyedDropout), _count(model, nn.BatchNorm1d)) == (3, 3)


def test_small_cnn_options() -> None:
    """Each block is twice as wide as the one before; batch norm can be left out."""
    model = SmallCnn(width=4, depth=3, dropout=0.1, batch_norm=False).build((3, 16, 16), 5)
    widths = [module.out_channels for module in model.modules() if isinstance(module, nn.Conv2d)]
    assert widths == [4, 8, 16]
    assert (_count(model, KeyedDropout), _count(model, nn.BatchNorm2d)) == (1, 0)


@pytest.mark.parametrize("options", [{"width": 0}, {"depth": -1}, {"dropout": 1.0}, {"dropout": -0.1}, {"widht": 3}])
def test_out_of_range(options: dict[str, object]) -> None:
    """An option that makes no network is refused."""
    with pytest.raises(ValidationError):
        Mlp.model_validate(options)
    with pytest.raises(ValidationError):
        SmallCnn.model_validate(options)


@pytest.mark.parametrize("shape", [(64,), (8, 8), (1, 2, 8, 8)])
def test_small_cnn_needs_images(shape: tuple[int, ...]) -> None:
    """A table is refused, and the message says what the data looks like."""
    with pytest.raises(ValueError, match="small_cnn needs images") as caught:
        SmallCnn().check(shape)
    assert str(shape) in str(caught.value)


def test_small_cnn_needs_pixels() -> None:
    """An image that cannot be halved often enough is refused with both sizes."""
    with pytest.raises(ValueError, match="depth 4 needs at least 16 pixels a side; images are 8x20"):
        SmallCnn(depth=4).check((1, 8, 20))
    SmallCnn(depth=3).check((1, 8, 20))
