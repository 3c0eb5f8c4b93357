"""What limits a training, and what a step could take at least."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunefast.doctor.examine import floor
from tunefast.doctor.floor import Rates
from tunefast.doctor.measuring import PHASES, Anatomy
from tunefast.doctor.verdict import Limit, verdict


def anatomy(**changes: Any) -> Anatomy:
    """Steps of 10 ms of which nothing stands out."""
    whole: dict[str, Any] = {
        "step_seconds": 0.01,
        "phases": dict.fromkeys(PHASES, 0.002),
        "fixed_seconds": 0.0,
        "eval_seconds": 0.0,
        "steps_per_epoch": 100,
        "samples_per_step": 32,
        "step_flops": 1e9,
        "num_parameters": 1000,
        "peak_memory_bytes": 0,
        "is_images": True,
        "num_train": 3200,
    }
    return Anatomy(**{**whole, **changes})


@pytest.mark.parametrize(
    ("changes", "limit", "share"),
    [
        ({}, Limit.COMPUTE, 0.6),
        ({"phases": {**dict.fromkeys(PHASES, 0.001), "preparation": 0.009}}, Limit.DATA, 10 / 13),
        ({"phases": {**dict.fromkeys(PHASES, 0.001), "data": 0.009}}, Limit.DATA, 10 / 13),
        ({"fixed_seconds": 0.0055}, Limit.LAUNCH, 0.55),
        ({"eval_seconds": 3.0}, Limit.EVALUATION, 0.75),
    ],
)
def test_the_largest_share_limits(changes: dict[str, Any], limit: Limit, share: float) -> None:
    """The verdict names the part that takes the most of an epoch, and how much of it."""
    found = verdict(anatomy(**changes))
    assert found.limit is limit
    assert found.share == pytest.approx(share)


@given(
    st.lists(st.floats(1e-6, 1.0), min_size=5, max_size=5), st.floats(0, 10), st.floats(0, 100), st.integers(1, 1000)
)
def test_shares_are_shares(phases: list[float], fixed: float, evaluated: float, steps: int) -> None:
    """Whatever was measured, the largest of four parts is at least a quarter, and no more than all."""
    measured = dict(zip(PHASES, phases, strict=True))
    found = verdict(anatomy(phases=measured, fixed_seconds=fixed, eval_seconds=evaluated, steps_per_epoch=steps))
    assert 0.25 <= found.share <= 1.0 + 1e-9


def test_the_floor() -> None:
    """A step takes its operations at the rate of products, or its parameters at that of copies, whatever is longer."""
    assert floor(anatomy(), Rates(flops=1e11, bytes=1e10)) == pytest.approx(0.01)
    assert floor(anatomy(num_parameters=10**7), Rates(flops=1e12, bytes=1e10)) == pytest.approx(0.032)
    assert floor(anatomy(step_flops=None), Rates(1.0, 1.0)) is None
