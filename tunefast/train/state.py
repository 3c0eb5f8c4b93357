"""What a lane is made of, as named tensors and JSON data, and a lane made of them again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tunefast.recipe.recipe import TrainingRecipe
from tunefast.train.lane import Lane
from tunefast.train.parameters import parameter_groups


def capture(lane: Lane) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """All tensors of a lane by name, and what is no tensor: weights, averages, kept weights, optimizer, loss scale."""
    tensors = {f"network.{name}": value for name, value in lane.changing(lane.network).state_dict().items()}
    if lane.average is not None:
        tensors |= {f"average.{name}": value for name, value in lane.changing(lane.judged).state_dict().items()}
    if lane.kept is not None:
        tensors |= {f"kept.{name}": value for name, value in lane.kept.items()}
    plain: dict[str, dict[str, Any]] = {}
    for index, state in lane.optimizer.state_dict()["state"].items():
        for name, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{name}"] = value
            else:
                plain.setdefault(str(index), {})[name] = value
    return tensors, {"optimizer": plain, "scaler": lane.scaler.state_dict()}


def restore(lane: Lane, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Bring a new lane of the same recipe and seed to where `capture` found one."""
    _load(lane.changing(lane.network), _under("network", tensors))
    if lane.average is not None:
        _load(lane.changing(lane.judged), _under("average", tensors))
    lane.kept = kept_weights(lane, tensors)
    _load_optimizer(lane.optimizer, _under("optimizer", tensors), facts["optimizer"])
    if lane.scaler.is_enabled():
        lane.scaler.load_state_dict(facts["scaler"])


def kept_weights(lane: Lane, tensors: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """The weights that count so far, None where none were kept."""
    return {name: value.to(lane.device) for name, value in _under("kept", tensors).items()} or None


def adopt(lane: Lane, recipe: TrainingRecipe, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Bring a new lane to the weights that `capture` found in one of `recipe`, from which its own may differ.

    See `TrainingRecipe.goes_on_from` for what has to be the same. Averages begin at those weights where there were
    none; the optimizer's state is taken over where it is of the same
    kind and has the same parameters in the same order.
    """
    _load(lane.changing(lane.network), _under("network", tensors))
    if lane.average is not None:
        averaged = _under("average", tensors) or lane.changing(lane.network).state_dict()
        _load(lane.changing(lane.judged), averaged)
    same_kind = type(recipe.optimizer) is type(lane.recipe.optimizer)
    if same_kind and _order(lane, recipe) == _order(lane, lane.recipe):
        _load_optimizer(lane.optimizer, _under("optimizer", tensors), facts["optimizer"])
    if lane.scaler.is_enabled() and facts["scaler"]:
        lane.scaler.load_state_dict(facts["scaler"])


def _order(lane: Lane, recipe: TrainingRecipe) -> list[int]:
    """Which parameters of the lane's network an optimizer of `recipe` would number how."""
    groups = parameter_groups(lane.network, recipe)
    return [id(parameter) for group in groups for parameter in group["params"]]


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}


def _load(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy into the tensors that are there, which keep their memory layout."""
    module.load_state_dict(dict(state))


def _load_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], plain: Mapping[str, Mapping[str, Any]]
) -> None:
    """Buffers get the memory layout of their parameter, as the fused kernels take for granted."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Any]] = {int(index): dict(values) for index, values in plain.items()}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        parameter = parameters[int(index)]
        if value.shape == parameter.shape:
            value = torch.empty_like(parameter, dtype=value.dtype).copy_(value)  # noqa: PLW2901
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
