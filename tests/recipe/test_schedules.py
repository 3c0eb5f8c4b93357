"""Schedules against torch's own schedulers."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from tunefast.recipe.schedules import Constant, Cosine, OneCycle

lengths = st.integers(1, 80)
shares = st.floats(0.01, 0.99)


def _curve(
    optimizer: torch.optim.Optimizer, scheduler: torch.optim.lr_scheduler.LRScheduler, steps: int
) -> list[dict[str, float]]:
    """Rate and momentum that torch uses at each step."""
    curve = []
    for _ in range(steps):
        group = optimizer.param_groups[0]
        curve.append({"lr": float(group["lr"]), "momentum": float(group.get("momentum", group.get("betas", [0])[0]))})
        optimizer.step()
        if len(curve) < steps:
            scheduler.step()
    return curve


@given(lengths)
def test_constant(num_steps: int) -> None:
    """Every step has the full rate and the optimizer's own momentum."""
    assert {Constant().at(step, num_steps) for step in range(num_steps)} == {(1.0, None)}


@given(lengths, st.floats(0, 1), st.floats(1e-5, 10))
def test_cosine_equals_torch(num_steps: int, final_factor: float, lr: float) -> None:
    """The curve is that of ``CosineAnnealingLR`` over the same number of steps."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_steps, eta_min=lr * final_factor)
    expected = [point["lr"] for point in _curve(optimizer, scheduler, num_steps)]
    schedule = Cosine(final_factor=final_factor)
    assert [lr * schedule.at(step, num_steps).factor for step in range(num_steps)] == pytest.approx(expected, rel=1e-6)
    assert schedule.at(0, num_steps).momentum is None


@given(lengths, shares, st.floats(1, 100), st.floats(1, 1e5), st.booleans())
@example(10, 0.3, 25.0, 1e4, False)
def test_one_cycle_equals_torch(steps: int, pct_start: float, div: float, final_div: float, adam: bool) -> None:
    """Rate and momentum are those of ``OneCycleLR``, for momentum and for Adam's first beta."""
    assume(float(pct_start * steps) != 1)
    weights = [torch.zeros(1, requires_grad=True)]
    optimizer: torch.optim.Optimizer = torch.optim.SGD(weights, lr=0.1, momentum=0.9)
    if adam:
        optimizer = torch.optim.Adam(weights, lr=0.1)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.5, total_steps=steps, pct_start=pct_start, div_factor=div, final_div_factor=final_div
    )
    schedule = OneCycle(pct_start=pct_start, div_factor=div, final_div_factor=final_div)
    points = [schedule.at(step, steps) for step in range(steps)]
    curve = _curve(optimizer, scheduler, steps)
    assert [0.5 * point.factor for point in points] == pytest.approx([point["lr"] for point in curve], rel=1e-6)
    assert [point.momentum for point in points] == pytest.approx([point["momentum"] for point in curve], rel=1e-6)


@given(lengths, shares)
@example(10, 0.1)
@example(1, 0.3)
def test_one_cycle_has_a_rate_at_every_step(num_steps: int, pct_start: float) -> None:
    """However short the run, every step has a rate above 0 and none above the peak."""
    factors = [OneCycle(pct_start=pct_start).at(step, num_steps).factor for step in range(num_steps)]
    assert all(0 < factor <= 1 + 1e-12 for factor in factors)


def test_one_cycle_with_a_climb_of_one_step() -> None:
    """A climb of a single step, where torch divides by zero, is that step at the full rate."""
    schedule = OneCycle(pct_start=0.1)
    assert schedule.at(0, 10) == (1.0, 0.85)
    assert schedule.at(1, 10).factor < 1


@given(shares)
def test_one_cycle_falls_after_its_peak(pct_start: float) -> None:
    """`peak` says from where on the rate only falls, which is where patience may begin."""
    schedule, num_steps = OneCycle(pct_start=pct_start), 200
    after = range(math.ceil(schedule.peak * num_steps), num_steps)
    factors = [schedule.at(step, num_steps).factor for step in after]
    assert factors == sorted(factors, reverse=True)


def test_momentum_can_be_left_alone() -> None:
    """Without `cycle_momentum` the optimizer keeps its own momentum."""
    assert {OneCycle(cycle_momentum=False).at(step, 10).momentum for step in range(10)} == {None}


def test_momenta_in_order() -> None:
    """The momentum at the peak is the lower one."""
    with pytest.raises(ValidationError, match=r"base_momentum = 0.97 must not exceed max_momentum = 0.95"):
        OneCycle(base_momentum=0.97)


def test_which_schedules_anneal() -> None:
    """Rules that stop trials wait for schedules that end low, and for those alone."""
    assert (Constant.annealed, Cosine.annealed, OneCycle.annealed) == (False, True, True)
    assert (Constant().peak, Cosine().peak, OneCycle(pct_start=0.4).peak) == (0.0, 0.0, 0.4)
