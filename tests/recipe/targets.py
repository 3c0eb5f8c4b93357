"""Targets of every kind, and outputs of models for them."""

from __future__ import annotations

import torch
from torch import Tensor

from tunefast.recipe.data import Targets

SIZE = 64
CLASSES = Targets("classes", 4, (10, 20, 30, 40), 100)
TWO_CLASSES = Targets("classes", 2, (75, 25), 100)
LABELS = Targets("labels", 3, (10, 50, 80), 100)
NUMBERS = Targets("numbers", 2, (), 100)


def raw(targets: Targets, seed: int = 0) -> Tensor:
    """`SIZE` targets as the data would have them."""
    generator = torch.Generator().manual_seed(seed)
    if targets.kind == "classes":
        return torch.randint(targets.size, (SIZE,), generator=generator)
    if targets.kind == "labels":
        return torch.randint(2, (SIZE, targets.size), generator=generator).to(torch.uint8)
    return torch.randn(SIZE, targets.size, generator=generator)


def outputs(num_outputs: int, seed: int = 1) -> Tensor:
    """What a model might say of them."""
    return torch.randn(SIZE, num_outputs, generator=torch.Generator().manual_seed(seed)) * 3
