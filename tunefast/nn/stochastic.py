"""Keyed stand-ins for the random layers of ready-made networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tunefast.nn.dropout import KeyedDropout

_UNKEYED = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


class KeyedStochasticDepth(KeyedDropout):
    """Leaves a residual branch out for some of the samples, drawn from a generator it is given.

    Same distribution as `torchvision.ops.StochasticDepth` in mode "row" (Huang et al. 2016, arXiv 1603.09382);
    raises `RuntimeError` when it is trained without a generator.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Zero a share `p` of the samples [N, ...] and scale the rest by 1 / (1 - p); in evaluation, `x` itself."""
        if not self.training or self.p == 0:
            return x
        if self.generator is None:
            raise RuntimeError("KeyedStochasticDepth has no generator: call seed_dropout before training")
        shape = [len(x)] + [1] * (x.ndim - 1)
        keep = torch.empty(shape, dtype=x.dtype, device=x.device).bernoulli_(1 - self.p, generator=self.generator)
        return x * keep / (1 - self.p)


def key_randomness(model: nn.Module) -> None:
    """Replace, in place, every layer of `model` that draws from torch's global generator by a keyed one of its rate.

    `torch.nn.Dropout` becomes `KeyedDropout`; torchvision's StochasticDepth (EfficientNet, ConvNeXt, Swin, MaxViT) and
    timm's DropPath become `KeyedStochasticDepth`. Raises `ValueError` for a random layer that has no keyed stand-in.
    """
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            keyed = _keyed(child)
            if keyed is not None:
                setattr(parent, name, keyed)


def _keyed(module: nn.Module) -> nn.Module | None:
    kind = type(module).__name__
    if type(module) is nn.Dropout:
        return KeyedDropout(module.p)
    if kind == "StochasticDepth" and getattr(module, "mode", "") == "row":
        return KeyedStochasticDepth(float(getattr(module, "p", 0.0)))
    if kind == "DropPath":
        return KeyedStochasticDepth(float(getattr(module, "drop_prob", None) or 0.0))
    if kind == "StochasticDepth" or (isinstance(module, _UNKEYED) and module.p > 0):
        raise ValueError(f"{module} draws from torch's global generator, so the training could not be repeated")
    return None
