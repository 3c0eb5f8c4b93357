"""The parts of a recipe for a training loop of the user's own."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tunefast.recipe.base import LoopPart
from tunefast.recipe.schedules import Horizon
from tunefast.train.parameters import let_momentum_cycle, set_schedule
from tunefast.train.sealed import DamagedError, read_sealed, write_sealed

log = logging.getLogger("tunefast.worker")
_STATE_FILE, _BEFORE_FILE, _NEXT_FILE = "state.safetensors", "state.before.safetensors", "state.next.safetensors"
_TENSOR, _DICT, _LIST, _TUPLE = "tensor", "dict", "list", "tuple"


class Steps:
    """A schedule of the recipe that moves an optimizer's rates and momenta; call `step` after each optimizer step."""

    def __init__(self, optimizer: torch.optim.Optimizer, recipe: LoopPart, steps_per_epoch: int) -> None:
        self._optimizer = optimizer
        self._schedule = recipe.schedule
        self._horizon = Horizon(recipe.epochs, steps_per_epoch)
        self._step = 0
        let_momentum_cycle(optimizer)
        self._set()

    def step(self) -> None:
        """Go on to the next optimizer step; past the planned end the last point stays."""
        self._step += 1
        self._set()

    def state_dict(self) -> dict[str, Any]:
        """Where it stands."""
        return {"step": self._step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to where `state_dict` found it."""
        self._step = int(state["step"])
        self._set()

    def _set(self) -> None:
        last = self._horizon.num_steps - 1
        set_schedule(self._optimizer, self._schedule.point(min(self._step, last), self._horizon))


class KeptState:
    """A trial's own checkpoint: nested dicts, lists and tuples of tensors and plain values, whole or not at all.

    What is saved counts for a later attempt from the next report on, so that it never knows an epoch that was not
    reported. The one before stays, in case the last is damaged.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        """For files of one's own too; the same for all attempts at the trial."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / _NEXT_FILE).unlink(missing_ok=True)  # of an attempt that was killed before it reported

    def save(self, state: Mapping[str, Any]) -> None:
        """Keep `state` in place of the last one. Raises `TypeError` for what is neither tensor nor JSON data in it."""
        tensors: dict[str, Tensor] = {}
        plan = json.dumps(_taken_apart(state, tensors))
        write_sealed(self.directory / _NEXT_FILE, tensors, plan)

    def commit(self) -> None:
        """Let what was saved last count for later attempts."""
        if (self.directory / _NEXT_FILE).exists():
            path = self.directory / _STATE_FILE
            with contextlib.suppress(FileNotFoundError):
                path.replace(self.directory / _BEFORE_FILE)
            (self.directory / _NEXT_FILE).replace(path)

    def load(self) -> Any:
        """What was saved last, or the time before where that is damaged; None where nothing was, or both are."""
        for name in (_NEXT_FILE, _STATE_FILE, _BEFORE_FILE):
            try:
                tensors, plan = read_sealed(self.directory / name)
                return _put_together(json.loads(plan), tensors.__getitem__)
            except (DamagedError, KeyError, ValueError) as error:
                if (self.directory / name).exists():
                    log.warning("%s cannot be used: %s", self.directory / name, error)
        return None


def _taken_apart(value: Any, tensors: dict[str, Tensor]) -> Any:
    """A plan of `value` as JSON data; its tensors are put into `tensors` under their numbers."""
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().clone()
        return {_TENSOR: name}
    if isinstance(value, Mapping):
        return {_DICT: [[_plain(key), _taken_apart(item, tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        kind = _LIST if isinstance(value, list) else _TUPLE
        return {kind: [_taken_apart(item, tensors) for item in value]}
    return _plain(value)


def _plain(value: Any) -> str | int | float | bool | None:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"a checkpoint holds tensors, numbers and text, not {type(value).__name__}")


def _put_together(plan: Any, tensor: Callable[[str], Tensor]) -> Any:
    if not isinstance(plan, dict):
        return plan
    ((kind, content),) = plan.items()
    if kind == _TENSOR:
        return tensor(content)
    if kind == _DICT:
        return {key: _put_together(item, tensor) for key, item in content}
    items: Sequence[Any] = [_put_together(item, tensor) for item in content]
    return items if kind == _LIST else tuple(items)
