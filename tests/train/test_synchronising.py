"""No training step waits for the device: whatever a step does, the host only queues it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from tests.train.covering import TECHNIQUES, covering
from tests.train.driving import batch_of, lane
from tunefast.train.lane import Lane
from tunefast.train.parameters import trainable

WAITING = (
    "aten._local_scalar_dense",
    "aten.item",
    "aten.is_nonzero",
    "aten.nonzero",
    "aten.masked_select",
    "aten.equal",
    "aten._unique2",
    "aten.unique_dim",
    "aten.repeat_interleave.Tensor",
    "aten.bincount",
)
"""Operations whose result, or its shape, the host has to see."""
COPYING = ("tolist", "numpy", "cpu", "__array__")

LOSSES: dict[str, dict[str, Any]] = {
    "labels": {
        "data": {"name": "synthetic", "task": "labels"},
        "loss": {"name": "binary_cross_entropy", "label_smoothing": 0.1, "class_weight": "balanced"},
    },
    "binary focal": {"data": {"name": "synthetic", "task": "labels"}, "loss": {"name": "binary_focal"}},
    "numbers": {
        "data": {"name": "synthetic", "task": "numbers"},
        "loss": {"name": "mse"},
        "augment": {"mixup_alpha": 1.0},
    },
    "huber": {"data": {"name": "synthetic", "task": "numbers"}, "loss": {"name": "huber"}},
    "resnet9": {"model": {"name": "resnet9", "width": 4, "dropout": 0.1}, "preprocess": {"image_size": 12}},
    "torchvision": {
        "model": {"name": "torchvision", "arch": "resnet18", "head": {"hidden": 8, "dropout": 0.1}},
        "preprocess": {"image_size": 32},
        "data": {"name": "digits", "validation": 0.02, "fraction": 0.05},
        "batch_size": 32,
    },
}


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the operations that reach the device."""

    def __init__(self, seen: Counter[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._seen = seen

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._seen[str(func)] += 1
        if func in (torch.ops.aten.index.Tensor, torch.ops.aten.index_put_.default):
            masks = [index for index in args[1] if index is not None and index.dtype in (torch.bool, torch.uint8)]
            self._seen["aten.nonzero, by a mask"] += len(masks)
        return func(*args, **(kwargs or {}))


class _Calls(TorchFunctionMode):
    """Notes the methods of tensors that copy to the host without an operation of their own."""

    def __init__(self, seen: Counter[str]) -> None:
        super().__init__()
        self._seen = seen

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._seen[getattr(func, "__name__", "")] += 1
        return func(*args, **(kwargs or {}))


@contextmanager
def _noted() -> Iterator[Counter[str]]:
    seen: Counter[str] = Counter()
    with _Operations(seen), _Calls(seen):
        yield seen


def _num_waiting(seen: Counter[str]) -> int:
    return sum(count for name, count in seen.items() if name.startswith(WAITING) or name in COPYING)


def _waits(trained: Lane) -> int:
    """How often a step waits; the one before it has set up what there is only once."""
    parameters = trainable(trained.network)
    group = tuple(batch_of(trained, trained.recipe.batch_size) for _ in range(trained.recipe.accumulation_steps))
    with _noted() as seen:
        trained._set_schedule(trained.horizon.steps_per_epoch)
        trained._step(group, parameters, 1, trained.horizon.steps_per_epoch)
    assert seen["aten.add_.Tensor"] > 0
    return _num_waiting(seen)


def _expected(settings: dict[str, Any]) -> int:
    """Torch's `GradScaler` asks once for an optimizer that has no fused kernel to do it; that is the only exception."""
    unfused = settings.get("optimizer", {}).get("name") in ("muon", "rmsprop")
    return int(unfused and settings.get("precision") == "fp16")


@pytest.mark.parametrize("number", range(len(covering())))
def test_steps(number: int) -> None:
    """Whatever techniques come together, a step reads nothing back."""
    settings = covering()[number]
    trained = lane(**settings, data={"name": "digits", "fraction": 0.1}, epochs=4, batch_size=32)
    trained.train_epoch(1)
    assert _waits(trained) == _expected(settings)


def test_the_exception_is_covered() -> None:
    """fp16 meets both optimizers without a fused kernel, or the count above would prove little."""
    assert sum(map(_expected, covering())) >= 2
    assert {"muon", "rmsprop"} < TECHNIQUES["optimizer"].keys()


@pytest.mark.parametrize("kind", LOSSES)
def test_steps_of_other_kinds(kind: str) -> None:
    """The same goes for every loss, and for models with convolutions, pooling and dropout of their own."""
    trained = lane(**LOSSES[kind])
    trained.train_epoch(1)
    assert _waits(trained) == 0


@pytest.mark.parametrize(
    "reads",
    [
        lambda value: value.sum().item(),
        lambda value: value.tolist(),
        lambda value: value.nonzero(),
        lambda value: value[value > 0],
        lambda value: bool((value > 0).all()),
        lambda value: float(value.sum()),
        lambda value: value.cpu(),
        lambda value: value.numpy(),
    ],
)
def test_it_would_be_noticed(reads: Callable[[torch.Tensor], Any]) -> None:
    """What reads a number back is counted, in whichever way it does."""
    with _noted() as seen:
        reads(torch.ones(3))
    assert _num_waiting(seen) == 1


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_once_an_epoch(precision: str) -> None:
    """A whole epoch reads its totals back once, at the end, however many steps it has."""
    trained = lane(precision=precision, batch_size=16, clipping={"norm": 1.0})
    trained.train_epoch(1)
    with _noted() as seen:
        trained.train_epoch(2)
    assert trained.horizon.steps_per_epoch > 50
    assert _num_waiting(seen) == seen["tolist"] == 1
