"""Dropout whose masks are a function of a key, so that a resumed or packed trial draws what a single run draws."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class KeyedDropout(nn.Module):
    """Dropout that draws from a generator it is given rather than from torch's global one.

    Same distribution as `torch.nn.Dropout`; raises `RuntimeError` when it is trained without a generator.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Zero a share `p` of `x`, of any shape, and scale the rest by 1 / (1 - p); in evaluation, `x` itself."""
        if not self.training or self.p == 0:
            return x
        if self.generator is None:
            raise RuntimeError("KeyedDropout has no generator: call seed_dropout(model, generator) before training")
        keep = torch.empty_like(x).bernoulli_(1 - self.p, generator=self.generator)
        return x * keep / (1 - self.p)

    def extra_repr(self) -> str:
        """The rate, for printing."""
        return f"p={self.p}"


def seed_dropout(model: nn.Module, generator: torch.Generator) -> None:
    """Let every dropout of `model` draw from `generator`, in the order of the forward pass."""
    for module in model.modules():
        if isinstance(module, KeyedDropout):
            module.generator = generator
