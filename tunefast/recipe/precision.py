"""Precision: in which number format the forward and backward passes run. Weights stay in fp32."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Precision = Literal["fp32", "bf16", "fp16"]
"""fp32: full. bf16: half the memory, fp32's range. fp16: half the memory, small range, so the loss is scaled.

Both halves buy speed only on hardware made for them; elsewhere they cost it. Source: Micikevicius et al., "Mixed
precision training", ICLR 2018.
"""


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """The context in which a forward pass runs in `precision` on `device`."""
    import torch

    if precision == "fp32":
        return nullcontext()
    dtype = torch.bfloat16 if precision == "bf16" else torch.float16
    return torch.autocast(device.type, dtype=dtype)


def loss_scaler(precision: Precision, device: torch.device) -> torch.amp.GradScaler:
    """The scaler that keeps fp16 gradients from vanishing; it does nothing in the other precisions."""
    import torch

    return torch.amp.GradScaler(device.type, enabled=precision == "fp16")
