"""The schedule that looks back, against torch's."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from tunefast.recipe.schedules import Plateau


@given(st.data(), st.lists(st.sampled_from([0.0, 0.5, 0.99, 1.0, -1.0, 1.001, math.nan, math.inf]), max_size=30))
def test_plateau_equals_torch(data: st.DataObject, history: list[float]) -> None:
    """After every epoch of any history the rate is that of ``ReduceLROnPlateau``."""
    options: dict[str, Any] = {
        "mode": data.draw(st.sampled_from(["min", "max"])),
        "factor": data.draw(st.floats(0.1, 0.9)),
        "patience": data.draw(st.integers(0, 3)),
        "threshold": data.draw(st.sampled_from([0.0, 1e-4, 0.05])),
        "threshold_mode": data.draw(st.sampled_from(["rel", "abs"])),
        "cooldown": data.draw(st.integers(0, 3)),
    }
    lowest = data.draw(st.floats(0, 0.5))
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, **options, min_lr=lowest, eps=0)
    schedule = Plateau(**options, min_factor=lowest)
    assert schedule.adapted([]) == 1
    for epoch, value in enumerate(history, 1):
        scheduler.step(value)
        assert schedule.adapted(history[:epoch]) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)


def test_plateau_goes_by_the_name_of_its_metric() -> None:
    """Without a mode, whether a curve improves is what the metric's name says."""
    rising = [0.1 * epoch for epoch in range(1, 10)]
    assert Plateau(patience=2, monitor="val_accuracy").adapted(rising) == 1
    assert Plateau(patience=2, monitor="val_loss").adapted(rising) < 1


def test_plateau_does_not_judge_the_warm_up() -> None:
    """The epochs that the warm-up reaches into count neither as the best nor as ones without improvement."""
    schedule = Plateau(patience=0, warmup_epochs=1.5)
    assert schedule.adapted([0.1, 0.2, 5.0]) == 1
    assert schedule.adapted([0.1, 0.2, 5.0, 6.0]) == pytest.approx(0.1)
