"""What limits a training, and what a step could take at least."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doctor.cases import anatomy
from tunefast.doctor.diagnosis import floor
from tunefast.doctor.findings import PHASES, Rates
from tunefast.doctor.verdict import Limit, verdict


@pytest.mark.parametrize(
    ("changes", "limit", "share"),
    [
        ({}, Limit.COMPUTE, 0.6),
        ({"phases": {**dict.fromkeys(PHASES, 0.001), "preparation": 0.009}}, Limit.DATA, 10 / 13),
        ({"phases": {**dict.fromkeys(PHASES, 0.001), "data": 0.009}}, Limit.DATA, 10 / 13),
        ({"fixed_seconds": 0.0055}, Limit.LAUNCH, 0.55),
        ({"eval_seconds": 3.0}, Limit.EVALUATION, 0.75),
        ({"step_seconds": 0.02}, Limit.LAUNCH, 0.5),
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
