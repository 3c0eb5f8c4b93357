"""Schedules against torch's own schedulers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, Literal

import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch.optim import lr_scheduler

from tunefast.recipe.schedules import (
    Constant,
    Cosine,
    Cyclic,
    Exponential,
    Horizon,
    MultiStep,
    OneCycle,
    Plateau,
    Point,
    SchedulePart,
    Span,
    Step,
)

MakeScheduler = Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler]

lengths = st.integers(1, 80)
shares = st.floats(0.01, 0.99)
horizons = st.builds(Horizon, st.integers(1, 12), st.integers(1, 12))
warm_ups = {"warmup_epochs": st.floats(0, 20), "warmup_factor": st.floats(0.001, 1)}
cycles: dict[str, st.SearchStrategy[Any]] = {
    "mode": st.sampled_from(["triangular", "triangular2", "exp_range"]),
    "up_epochs": st.floats(0.01, 5),
    "down_epochs": st.none() | st.floats(0.01, 5),
    "base_factor": st.floats(0, 1),
    "gamma": st.floats(0.1, 1),
}
falls = {"gamma": st.floats(0.01, 1)}
any_schedule: st.SearchStrategy[SchedulePart] = st.one_of(
    st.builds(Constant, **warm_ups),
    st.builds(Step, **warm_ups, **falls, step_epochs=st.integers(1, 5)),
    st.builds(MultiStep, **warm_ups, **falls, milestones=st.sets(st.integers(1, 12)).map(lambda of: tuple(sorted(of)))),
    st.builds(Exponential, **warm_ups, **falls),
    st.builds(Cosine, **warm_ups, final_factor=st.floats(0, 1)),
    st.builds(OneCycle, **warm_ups, pct_start=shares, anneal=st.sampled_from(["cos", "linear"])),
    st.builds(OneCycle, **warm_ups, pct_start=st.floats(0.01, 0.5), three_phase=st.just(True)),
    st.builds(Cyclic, **warm_ups, **cycles),
    st.builds(Plateau, **warm_ups),
)


def _points(schedule: SchedulePart, horizon: Horizon) -> list[Point]:
    return [schedule.point(step, horizon) for step in range(horizon.num_steps)]


def _curve(make: MakeScheduler, steps: int, *, every: int = 1, adam: bool = False) -> list[tuple[float, float]]:
    """Rate and momentum that torch uses at each step, of a scheduler stepped `every` so many steps; the rate is 1."""
    weights = [torch.zeros(1, requires_grad=True)]
    optimizer: torch.optim.Optimizer = torch.optim.SGD(weights, lr=1.0, momentum=0.9)
    if adam:
        optimizer = torch.optim.Adam(weights, lr=1.0)
    scheduler = make(optimizer)
    curve = []
    for step in range(1, steps + 1):
        group = optimizer.param_groups[0]
        curve.append((float(group["lr"]), float(group["momentum"] if "momentum" in group else group["betas"][0])))
        optimizer.step()
        if step < steps and step % every == 0:
            scheduler.step()
    return curve


def _assert_rates(schedule: SchedulePart, horizon: Horizon, make: MakeScheduler, *, every: int = 1) -> None:
    points = _points(schedule, horizon)
    expected = [rate for rate, _ in _curve(make, horizon.num_steps, every=every)]
    assert [point.factor for point in points] == pytest.approx(expected, rel=1e-6, abs=1e-12)
    assert {point.momentum for point in points} == {None}


@given(horizons)
def test_constant(horizon: Horizon) -> None:
    """Every step has the full rate and the optimizer's own momentum."""
    assert set(_points(Constant(), horizon)) == {(1.0, None)}


@given(horizons, st.integers(1, 5), st.floats(0.1, 1))
def test_step_equals_torch(horizon: Horizon, step_epochs: int, gamma: float) -> None:
    """The curve is that of ``StepLR``, stepped once an epoch."""
    schedule = Step(step_epochs=step_epochs, gamma=gamma)
    every = horizon.steps_per_epoch
    _assert_rates(schedule, horizon, lambda of: lr_scheduler.StepLR(of, step_epochs, gamma), every=every)


@given(horizons, st.sets(st.integers(1, 12)), st.floats(0.1, 1))
def test_multi_step_equals_torch(horizon: Horizon, milestones: set[int], gamma: float) -> None:
    """The curve is that of ``MultiStepLR``, stepped once an epoch."""
    falls_at = sorted(milestones)
    schedule = MultiStep(milestones=tuple(falls_at), gamma=gamma)
    every = horizon.steps_per_epoch
    _assert_rates(schedule, horizon, lambda of: lr_scheduler.MultiStepLR(of, falls_at, gamma), every=every)


@pytest.mark.parametrize("milestones", [[3, 3], [4, 3], [0, 3], [1.5], ["3"], 3])
def test_milestones_rise(milestones: object) -> None:
    """A list is how TOML writes them; they are whole epochs from 1 on, in order."""
    assert MultiStep.model_validate({"milestones": [3, 4]}).milestones == (3, 4)
    with pytest.raises(ValidationError, match="milestones"):
        MultiStep.model_validate({"milestones": milestones})


@given(horizons, st.floats(0.1, 1))
def test_exponential_equals_torch(horizon: Horizon, gamma: float) -> None:
    """The curve is that of ``ExponentialLR``, stepped once an epoch."""
    every = horizon.steps_per_epoch
    _assert_rates(Exponential(gamma=gamma), horizon, lambda of: lr_scheduler.ExponentialLR(of, gamma), every=every)


@given(horizons, st.floats(0, 1))
def test_cosine_equals_torch(horizon: Horizon, final_factor: float) -> None:
    """The curve is that of ``CosineAnnealingLR`` over the same number of steps."""
    steps = horizon.num_steps
    make: MakeScheduler = lambda of: lr_scheduler.CosineAnnealingLR(of, steps, eta_min=final_factor)  # noqa: E731
    _assert_rates(Cosine(final_factor=final_factor), horizon, make)


def _assert_cycles(schedule: SchedulePart, horizon: Horizon, make: MakeScheduler, *, adam: bool) -> None:
    points, curve = _points(schedule, horizon), _curve(make, horizon.num_steps, adam=adam)
    assert [point.factor for point in points] == pytest.approx([rate for rate, _ in curve], rel=1e-6, abs=1e-12)
    assert [point.momentum for point in points] == pytest.approx([momentum for _, momentum in curve], rel=1e-6)


@given(
    lengths, shares, st.floats(1, 100), st.floats(1, 1e5), st.sampled_from(["cos", "linear"]), st.booleans(),
    st.booleans(),
)  # fmt: skip
@example(10, 0.3, 25.0, 1e4, "cos", False, False)
@example(10, 0.3, 25.0, 1e4, "linear", True, True)
def test_one_cycle_equals_torch(
    steps: int, pct_start: float, div: float, last: float, anneal: Literal["cos", "linear"], three: bool, adam: bool
) -> None:
    """Rate and momentum are those of ``OneCycleLR``, for momentum and for Adam's first beta."""
    assume(float(pct_start * steps) != 1)
    assume(not three or pct_start <= 0.5)
    options: dict[str, Any] = {"pct_start": pct_start, "div_factor": div, "final_div_factor": last}
    schedule = OneCycle(**options, anneal=anneal, three_phase=three)
    options.update(max_lr=1.0, total_steps=steps, anneal_strategy=anneal, three_phase=three)
    _assert_cycles(schedule, Horizon(steps, 1), lambda of: lr_scheduler.OneCycleLR(of, **options), adam=adam)


@given(
    horizons, st.sampled_from(["triangular", "triangular2", "exp_range"]), st.integers(1, 20),
    st.none() | st.integers(1, 20), st.floats(0, 1), st.floats(0.1, 1), st.booleans(),
)  # fmt: skip
def test_cyclic_equals_torch(
    horizon: Horizon, mode: Literal["triangular", "triangular2", "exp_range"], up: int, down: int | None, base: float,
    gamma: float, adam: bool,
) -> None:  # fmt: skip
    """Rate and momentum are those of ``CyclicLR``, for momentum and for Adam's first beta."""
    steps = horizon.steps_per_epoch
    down_epochs = None if down is None else down / steps
    schedule = Cyclic(mode=mode, up_epochs=up / steps, down_epochs=down_epochs, base_factor=base, gamma=gamma)
    make: MakeScheduler = lambda of: lr_scheduler.CyclicLR(  # noqa: E731
        of, base, 1.0, up, down, mode, gamma=gamma ** (1 / steps)
    )
    _assert_cycles(schedule, horizon, make, adam=adam)


@given(any_schedule, st.lists(st.floats(-10, 10), max_size=30))
def test_only_plateau_looks_back(schedule: SchedulePart, history: list[float]) -> None:
    """The history moves no schedule up, and none but `plateau` at all."""
    factor = schedule.adapted(history)
    assert 0 <= factor <= 1
    assert factor == 1 or isinstance(schedule, Plateau)


@given(any_schedule, horizons)
@example(OneCycle(pct_start=0.1), Horizon(10, 1))
@example(OneCycle(pct_start=0.25, three_phase=True), Horizon(4, 1))
@example(Cyclic(up_epochs=0.1, down_epochs=0.1), Horizon(3, 2))
def test_a_rate_at_every_step(schedule: SchedulePart, horizon: Horizon) -> None:
    """However short the run and however long the warm-up, every step has a rate between none and the full one."""
    for point in _points(schedule, horizon):
        assert 0 <= point.factor <= 1
        assert point.momentum is None or 0 <= point.momentum < 1


@given(any_schedule, horizons)
def test_warm_up(schedule: SchedulePart, horizon: Horizon) -> None:
    """It is torch's ``LinearLR`` up to where the schedule begins; that then runs over what is left."""
    warm = round(schedule.warmup_epochs * horizon.steps_per_epoch)
    climb = min(warm, horizon.num_steps)
    points, first = _points(schedule, horizon), schedule.start()
    if climb:
        curve = _curve(lambda of: lr_scheduler.LinearLR(of, schedule.warmup_factor, total_iters=warm), climb)
        expected = [first.factor * rate for rate, _ in curve]
        assert [point.factor for point in points[:climb]] == pytest.approx(expected, rel=1e-6)
        assert {point.momentum for point in points[:climb]} == {first.momentum}
    span = Span(horizon.num_steps - warm, horizon.steps_per_epoch)
    assert points[climb:] == [schedule.at(step, span) for step in range(max(0, span.num_steps))]


@given(st.integers(1, 10), st.integers(2, 20), st.floats(0.01, 1))
def test_warm_cosine_equals_torch(warm: int, epochs: int, factor: float) -> None:
    """A warm-up in front of a cosine is torch's ``SequentialLR`` of the two."""
    assume(warm < epochs)

    def make(optimizer: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
        first = lr_scheduler.LinearLR(optimizer, factor, total_iters=3 * warm)
        then = lr_scheduler.CosineAnnealingLR(optimizer, 3 * (epochs - warm))
        return lr_scheduler.SequentialLR(optimizer, [first, then], [3 * warm])

    _assert_rates(Cosine(warmup_epochs=warm, warmup_factor=factor), Horizon(epochs, 3), make)


@given(any_schedule, st.integers(1, 12))
def test_top_of_the_rate(schedule: SchedulePart, epochs: int) -> None:
    """`peak_epoch` is where the rate has first been at its top, which is where patience may begin."""
    horizon = Horizon(epochs, 200)
    peak, factors = schedule.peak_epoch(epochs), [point.factor for point in _points(schedule, horizon)]
    assert 0 <= peak <= epochs
    assert max(factors[: math.ceil(peak * 200) + 1]) >= 0.97 * max(factors)
    if not isinstance(schedule, Cyclic):
        after = factors[math.ceil(peak * 200) :]
        assert all(later <= earlier + 1e-12 for earlier, later in itertools.pairwise(after))


def test_peaks() -> None:
    """The warm-up counts, and the climb is a share of what it leaves."""
    assert (Constant().peak_epoch(10), Cosine(warmup_epochs=2.5).peak_epoch(10)) == (0, 2.5)
    assert OneCycle(pct_start=0.5, warmup_epochs=2).peak_epoch(10) == 6
    assert Cyclic(up_epochs=3, warmup_epochs=2).peak_epoch(10) == 5
    assert Cyclic(up_epochs=30).peak_epoch(10) == Step(warmup_epochs=30).peak_epoch(10) == 10


def test_which_schedules_anneal() -> None:
    """Rules that stop trials wait for schedules that end low by plan, and for those alone."""
    assert not any(part.annealed for part in (Constant, Cyclic, Plateau))
    assert all(part.annealed for part in (Step, MultiStep, Exponential, Cosine, OneCycle))


def test_one_cycle_with_a_climb_of_one_step() -> None:
    """A climb of a single step, where torch divides by zero, is that step at the full rate."""
    schedule = OneCycle(pct_start=0.1)
    assert schedule.point(0, Horizon(10, 1)) == (1.0, 0.85)
    assert schedule.point(1, Horizon(10, 1)).factor < 1


def test_momentum_can_be_left_alone() -> None:
    """Without `cycle_momentum` the optimizer keeps its own momentum."""
    for schedule in (OneCycle(cycle_momentum=False), Cyclic(cycle_momentum=False, warmup_epochs=3)):
        assert {point.momentum for point in _points(schedule, Horizon(10, 2))} == {None}


@pytest.mark.parametrize(
    ("part", "options", "message"),
    [
        (OneCycle, {"base_momentum": 0.97}, "base_momentum = 0.97 must not exceed max_momentum = 0.95"),
        (Cyclic, {"base_momentum": 0.97}, "base_momentum = 0.97 must not exceed max_momentum = 0.9"),
        (OneCycle, {"three_phase": True, "pct_start": 0.6}, "three_phase = true needs pct_start <= 0.5, got 0.6"),
        (Constant, {"warmup_factor": 0.0}, "greater than 0"),
        (Constant, {"warmup_epochs": -1.0}, "greater than or equal to 0"),
        (Plateau, {"factor": 1.0}, "less than 1"),
        (Cyclic, {"up_epochs": 0.0}, "greater than 0"),
    ],
)
def test_refuses_bad_options(part: type[SchedulePart], options: dict[str, Any], message: str) -> None:
    """A setting that makes no schedule is refused, with what would."""
    with pytest.raises(ValidationError, match=message):
        part.model_validate(options)
