"""Mixup and cutmix: batches whose samples are mixed with others of the batch, targets in proportion.

A mixture is described by the weight that each sample keeps for itself: one number for mixup, one a pixel for cutmix.
Weights are tensors on the batch's device, so that nothing waits for it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_IMAGE_BATCH_AXES = 4


def mix(inputs: Tensor, encoded: Tensor, weight: Tensor, partner: Tensor) -> tuple[Tensor, Tensor]:
    """Mix each sample with its partner: ``weight * own + (1 - weight) * partner's``.

    `inputs` are float [n, ...], `encoded` their targets [n, T], `partner` the int64 [n] places in the batch of those
    that are mixed in. `weight` is 0-dimensional, or [H, W] for images [n, C, H, W]; targets go by its mean.
    """
    targets = encoded.index_select(0, partner).lerp_(encoded, weight.mean().to(encoded.dtype))
    return _mixed(inputs, weight.to(inputs.dtype), partner), targets


def _mixed(inputs: Tensor, weight: Tensor, partner: Tensor) -> Tensor:
    pixels = inputs.permute(0, 2, 3, 1) if inputs.dim() == _IMAGE_BATCH_AXES else inputs
    if inputs.dim() != _IMAGE_BATCH_AXES or not pixels.is_contiguous():
        return inputs.index_select(0, partner).lerp_(inputs, weight)
    # Channels-last memory: as flat rows, both the copy and the mixing run over long stretches of it.
    flat = pixels.flatten(1)
    if weight.dim() > 0:
        weight = weight[..., None].expand(pixels.shape[1:]).flatten()
    mixed = flat.index_select(0, partner).lerp_(flat, weight)
    return mixed.view(pixels.shape).permute(0, 3, 1, 2)


def mixup_weight(alpha: float, generator: torch.Generator) -> Tensor:
    """The weight of mixup, one draw from Beta(alpha, alpha): float32 of no dimensions, alpha > 0.

    Source: Zhang et al., "mixup: beyond empirical risk minimization", ICLR 2018; the draw in closed form, from two
    uniform ones: Devroye, "Random variate generation in one line of code", 1996.
    """
    uniform = torch.rand(2, generator=generator, device=generator.device)
    rest, cosine = uniform[0] ** (1 / alpha), torch.cos(2 * math.pi * uniform[1])
    spread = ((1 - rest) / (rest + (1 - rest) * cosine**2)).sqrt()
    return (0.5 + 0.5 * cosine * spread).clamp(0, 1)


def cutmix_weight(alpha: float, height: int, width: int, generator: torch.Generator) -> Tensor:
    """The weights of cutmix, float32 [H, W]: 0 in a box whose area is 1 - Beta(alpha, alpha) of the image, else 1.

    The box's centre is uniform over the pixels, and what reaches over the border is cut off.
    Source: Yun et al., "CutMix: regularization strategy to train strong classifiers with localizable features", 2019.
    """
    own = mixup_weight(alpha, generator)
    row = torch.randint(height, (), generator=generator, device=generator.device)
    column = torch.randint(width, (), generator=generator, device=generator.device)
    return outside_box(own, row, column, height, width)


def outside_box(own: Tensor, row: Tensor, column: Tensor, height: int, width: int) -> Tensor:
    """Float32 [H, W]: 0 in a box of share 1 - `own` of the area around the pixel (`row`, `column`), else 1."""
    half = 0.5 * (1 - own).sqrt()
    inside_rows = _within(height, row, (half * height).floor())
    inside_columns = _within(width, column, (half * width).floor())
    return 1 - inside_rows[:, None] * inside_columns


def _within(length: int, centre: Tensor, half: Tensor) -> Tensor:
    """Float32 [length]: 1 from centre - half up to, and without, centre + half."""
    distance = torch.arange(length, device=centre.device) - centre
    return ((distance >= -half) & (distance < half)).to(torch.float32)
