"""Weights for networks of torchvision, cheaper to draw than those of their constructors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import get_model

from tunefast.nn.weights import Unfilled


def random_reference(arch: str, **options: Any) -> tuple[nn.Module, dict[str, Tensor]]:
    """Torchvision's own network in evaluation mode, and its state dict: small random weights, statistics that do."""
    with Unfilled():
        model: nn.Module = get_model(arch, weights=None, **options)
    generator = torch.Generator().manual_seed(5)
    state: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        if not tensor.is_meta:
            state[name] = tensor
        elif tensor.dtype == torch.int64:
            state[name] = torch.zeros((), dtype=torch.int64)
        else:
            spread = 1 / max(1, tensor[0].numel()) ** 0.5 if tensor.ndim > 1 else 0.3
            values = torch.randn(tensor.shape, generator=generator) * spread
            state[name] = values.abs() + 0.5 if name.endswith("running_var") else values
    loaded = model.state_dict()  # brings the versions that some families ask for
    loaded.update(state)
    model.load_state_dict(loaded, assign=True)
    return model.eval(), state
