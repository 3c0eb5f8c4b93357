"""Number formats of the forward and backward pass."""

from __future__ import annotations

import pytest
import torch

from tunefast.recipe.precision import Precision, autocast, loss_scaler

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_autocast(precision: Precision, dtype: torch.dtype) -> None:
    """A matrix product runs in the format asked for, and weights stay in fp32."""
    layer = torch.nn.Linear(4, 4)
    with autocast(precision, CPU):
        assert layer(torch.ones(2, 4)).dtype is dtype
    assert layer.weight.dtype is torch.float32


@pytest.mark.parametrize(("precision", "scaled"), [("fp32", False), ("bf16", False), ("fp16", True)])
def test_loss_scaler(precision: Precision, scaled: bool) -> None:
    """Only fp16, whose range is small, has its loss scaled."""
    loss = loss_scaler(precision, CPU).scale(torch.ones(()))
    assert (loss.item() > 1) == scaled
