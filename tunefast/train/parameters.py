"""Which weights an optimizer moves, how fast, and which of them decay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from tunefast.nn.network import Network
from tunefast.recipe.base import LoopPart
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.recipe.schedules import Point


def parameter_groups(network: Network, recipe: TrainingRecipe) -> list[dict[str, Any]]:
    """The parameters of `network` by rate and decay, as an optimizer part's `build` takes them.

    Frozen parameters are in it too: without a gradient no optimizer touches them, and they may train later.
    """
    parts = list(network.backbone.parameters()), list(network.head.parameters())
    return grouped(*parts, recipe, recipe.transfer.backbone_lr_factor)


def grouped(
    body: Iterable[nn.Parameter], head: Iterable[nn.Parameter], recipe: LoopPart, body_lr_factor: float = 1.0
) -> list[dict[str, Any]]:
    """The parameters of a model's body and last layer by rate and decay, as an optimizer part's `build` takes them."""
    optimizer = recipe.optimizer
    rate = optimizer.lr * recipe.lr_factor
    groups: dict[tuple[bool, bool], dict[str, Any]] = {}
    for is_head, parameters in ((False, body), (True, head)):
        for parameter in parameters:
            decays = optimizer.decay_norm_and_bias or not is_norm_or_bias(parameter)
            group = groups.setdefault(
                (is_head, decays),
                {
                    "params": [],
                    "lr": rate if is_head else rate * body_lr_factor,
                    "weight_decay": optimizer.weight_decay if decays else 0.0,
                    "head": is_head,
                },
            )
            group["params"].append(parameter)
    return list(groups.values())


def is_norm_or_bias(parameter: Tensor) -> bool:
    """Whether a parameter is a bias, or a scale of a normalisation: a vector, where weights are matrices or more."""
    return parameter.ndim <= 1


def trainable(module: nn.Module) -> list[nn.Parameter]:
    """The parameters that get a gradient."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def let_momentum_cycle(optimizer: torch.optim.Optimizer) -> None:
    """Note which groups have momentum, since a cycle may take it down to 0 and up again."""
    for group in optimizer.param_groups:
        group["cycles"] = group.get("momentum", 0) > 0


def set_schedule(optimizer: torch.optim.Optimizer, point: Point, factor: float = 1.0) -> None:
    """Set rates and momenta to where a schedule stands, the rates times `factor`."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * (point.factor * factor)
        if point.momentum is None:
            continue
        if "betas" in group:
            group["betas"] = (point.momentum, group["betas"][1])
        if group["cycles"]:
            group["momentum"] = point.momentum


def start_momentum(optimizer: torch.optim.Optimizer) -> None:
    """Give every parameter that SGD has not moved yet the buffer of zeros from which momentum starts anyway.

    torch's fused SGD cannot take a step in which some parameters have a buffer and others, just unfrozen, have none.
    And where fp16 overflows in the first step, it leaves the buffers that it made for it unfilled.
    """
    if not isinstance(optimizer, torch.optim.SGD):
        return
    for group in optimizer.param_groups:
        for parameter in group["params"] if group["cycles"] else ():
            if optimizer.state[parameter].get("momentum_buffer") is None:
                optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)


def penalty(parameters: list[nn.Parameter], l1: float, l2: float) -> Tensor | None:
    """l1 x sum |w| + l2 / 2 x sum w^2 over all weights that are no biases or norms; None where both are 0."""
    weights = [parameter for parameter in parameters if not is_norm_or_bias(parameter)]
    if (l1 == 0 and l2 == 0) or not weights:
        return None
    total = torch.zeros((), device=weights[0].device)
    for weight in weights:
        if l1:
            total = total + l1 * weight.abs().sum()
        if l2:
            total = total + l2 / 2 * weight.square().sum()
    return total
