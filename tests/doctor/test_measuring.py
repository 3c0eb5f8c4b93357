"""Where the time of real trainings goes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.doctor.cases import CPU, recipe
from tunefast.doctor.measuring import dissect
from tunefast.doctor.verdict import Limit, verdict

SLOW = """
import time

def augment(inputs, targets):
    time.sleep(0.02)
    return inputs, targets
"""
SLOW_AT_FIRST = """
import time

calls = 0

def augment(inputs, targets):
    global calls
    calls += 1
    time.sleep(0.03 if calls < 40 else 0.003)
    return inputs, targets
"""
RECIPES: dict[Limit, dict[str, Any]] = {
    Limit.LAUNCH: {"model": {"name": "mlp", "width": 8, "depth": 6}, "batch_size": 4},
    Limit.COMPUTE: {
        "model": {"name": "mlp", "width": 1000, "depth": 2},
        "optimizer": {"name": "sgd", "lr": 0.001},
        "batch_size": 256,
    },
    Limit.DATA: {"batch_size": 64, "augment": {"own": {"path": "slow_augmentation:augment"}}},
}


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As many threads as there is sure to be a core for."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("limit", RECIPES)
def test_the_right_verdict(limit: Limit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recipes built to be bound by their data, by arithmetic and by the cost of a step are told apart."""
    (tmp_path / "slow_augmentation.py").write_text(SLOW)
    monkeypatch.chdir(tmp_path)
    begun: list[bool] = []
    found = dissect(recipe(**RECIPES[limit]), 0, CPU, 2.0, on_started=lambda: begun.append(True))
    assert begun == [True]
    assert verdict(found).limit is limit
    assert verdict(found).share > 0.4
    assert found.step_seconds > 0
    assert found.peak_memory_bytes > 0


@pytest.mark.usefixtures("one_thread")
def test_phases_add_up_to_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step and its phases are measured at the same time, so little is left between them, and nothing is missing."""
    (tmp_path / "slow_at_first.py").write_text(SLOW_AT_FIRST)
    monkeypatch.chdir(tmp_path)
    found = dissect(recipe(batch_size=64, augment={"own": {"path": "slow_at_first:augment"}}), 0, CPU, 2.0)
    assert 0.0 <= found.rest_seconds < 0.1 * found.step_seconds
    assert sum(found.phases.values()) + found.rest_seconds == pytest.approx(found.step_seconds)


@pytest.mark.usefixtures("one_thread")
def test_no_time_at_all() -> None:
    """Where a step takes longer than there is time for, one of them is measured, and all the rest is told from that."""
    found = dissect(recipe(batch_size=512), 0, CPU, 1e-6)
    assert found.step_seconds > 0
    assert sum(found.phases.values()) > 0
    assert found.eval_seconds > 0
    assert (found.fixed_seconds, found.has_batch_norm, found.loads) == (0.0, False, False)
