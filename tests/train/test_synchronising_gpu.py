"""No training step on a GPU waits for it: CUDA itself says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from tests.train.covering import covering
from tests.train.driving import recipe
from tunefast.train.batches import fetch
from tunefast.train.loop import open_lane
from tunefast.train.parameters import trainable

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@contextmanager
def _no_waiting() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def _is_exception(settings: dict[str, Any]) -> bool:
    return settings["precision"] == "fp16" and settings["optimizer"]["name"] in ("muon", "rmsprop")


@pytest.mark.parametrize("number", [n for n, settings in enumerate(covering()) if not _is_exception(settings)])
def test_steps(number: int) -> None:
    """Whatever techniques come together, the steps of an epoch only queue work."""
    made = recipe(**covering()[number], data={"name": "digits", "fraction": 0.2}, epochs=4, batch_size=32)
    lane = open_lane(made, 0, torch.device("cuda"))
    lane.train_epoch(1)
    parameters, groups = trainable(lane.network), lane._groups(2)
    batches = fetch(lane.dataset.train, groups, lane.device, made.hardware)
    first = next(batches)  # the order of the samples is copied here
    with _no_waiting():
        lane._step(first, parameters, 2, 0)
        for step, group in enumerate(batches, 1):
            lane._set_schedule(step)
            lane._step(group, parameters, 2, step)
