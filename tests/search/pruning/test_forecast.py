"""Pruning by forecast."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunefast.search.pruning import Curve, Decision, Standing, pruning_rule
from tunefast.search.pruning.forecast import ForecastRule
from tunefast.spec.pruners import ForecastPruner, SafePruner


def _rule(*curves: list[float], planned: int | None = 4, margin: float = 1.0, maximize: bool = True) -> ForecastRule:
    rule = ForecastRule(len(curves), margin, maximize=maximize)
    for number, curve in enumerate(curves):
        rule.learn(Curve(number, dict(enumerate(curve, start=1)), planned, complete=True))
    return rule


def _judged(rule: ForecastRule, epoch: int, best: float, planned: int | None = 4) -> Decision:
    return rule.judge(Standing(99, epoch, best, best, planned))


def test_it_takes_what_a_trial_may_still_gain() -> None:
    """A trial goes on while the largest gain that any trial made from there would make it as good as the best."""
    rule = _rule([0.25, 0.5, 0.75, 0.75], [0.0, 0.25, 0.25, 0.5])
    assert _judged(rule, 1, 0.25) == Decision(prune=False, threshold=0.25, num_curves=2)
    assert _judged(rule, 1, 0.2).prune
    assert _judged(rule, 2, 0.5).threshold == 0.5
    assert _judged(rule, 3, 0.4) == Decision(prune=True, threshold=0.5, num_curves=2)
    assert _judged(rule, 4, 0.7) == Decision(prune=False, threshold=0.75, num_curves=2)


def test_a_slow_starter_goes_on() -> None:
    """A trial that still gets better may gain, with every doubling of its epochs, as much as in the last one."""
    rule = _rule([0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9], planned=8)
    for before, stopped in ((0.5, True), (0.31, True), (0.29, False), (math.nan, True)):
        assert rule.judge(Standing(9, 2, 0.5, 0.5, 8, 0, halfway=before)).prune is stopped
    assert rule.judge(Standing(9, 4, 0.6, 0.6, 8, 0, halfway=0.4)).threshold == pytest.approx(0.7)
    unknown = _rule([0.9] * 8, planned=None)
    assert unknown.judge(Standing(9, 2, 0.6, 0.6, None, 0, halfway=0.5)).threshold == pytest.approx(0.7)


def test_the_margin() -> None:
    """With a margin a trial is allowed that much more than was ever seen."""
    assert _judged(_rule([1.0, 0.5], margin=2.0, maximize=False), 1, 1.5).threshold == 1.5
    assert not _judged(_rule([1.0, 0.5], margin=2.0, maximize=False), 1, 1.5).prune
    assert _judged(_rule([1.0, 0.5], margin=1.5, maximize=False), 1, 1.5).prune


def test_a_larger_margin_where_trials_gain_late() -> None:
    """With an annealed schedule, and that one alone, the margin is `late` times as large."""
    rule = ForecastRule(1, 2.0, maximize=False, late=1.5)
    rule.learn(Curve(0, {1: 1.0, 2: 0.5}, 4, complete=True))
    assert [rule.judge(Standing(9, 1, 2.0, 2.0, 4, annealed=late)).threshold for late in (False, True)] == [1.5, 2.0]


def test_an_annealed_schedule_needs_no_warm_up() -> None:
    """Where all trials gain most at their end, a trial that is far behind before that is let go on."""
    rule = _rule([0.1, 0.1, 0.9, 0.9], [0.2, 0.2, 0.8, 0.8])
    assert not any(_judged(rule, epoch, 0.1).prune for epoch in (1, 2))
    assert _judged(rule, 3, 0.1).prune
    assert not _judged(rule, 4, 0.1).prune


def test_trials_of_other_lengths() -> None:
    """They are compared at the same share of their training; where none got so far there is no judgement."""
    rule = _rule([0.0, 0.5, 0.5, 1.0])
    assert _judged(rule, 4, 0.4, planned=8).prune
    assert not _judged(rule, 8, 0.4, planned=8).prune
    assert _judged(rule, 3, 0.4, planned=8) == Decision(prune=False, threshold=0.0, num_curves=1)
    assert _judged(rule, 1, 0.4, planned=2).prune
    unknown = _rule([0.0, 0.5], planned=None)
    assert _judged(unknown, 2, 0.4, planned=None).prune
    assert _judged(unknown, 3, 0.4, planned=None) == Decision(prune=False, threshold=None, num_curves=1)


def test_before_it_judges() -> None:
    """It says how many trials have to complete first; stopped ones do not count, but what they gained does."""
    rule = pruning_rule(ForecastPruner(startup_trials=2, margin=1.0), maximize=True)
    rule.learn(Curve(0, {1: 0.5, 2: 0.6}, 2, complete=True))
    rule.learn(Curve(1, {1: 0.0, 2: 0.3}, 2))
    assert rule.judge(Standing(9, 1, 0.1, 0.1, 2)) == Decision(prune=False, num_curves=1, missing=1)
    rule.learn(Curve(2, {1: 0.5, 2: 0.5}, 2, complete=True))
    assert rule.judge(Standing(9, 1, 0.1, 0.1, 2)).threshold == pytest.approx(0.3)
    assert rule.judge(Standing(9, 1, 0.1, 0.1, 2)).prune
    assert not rule.judge(Standing(9, 1, 0.1, 0.1, 2, warmup_epochs=1)).prune


def test_a_value_without_a_curve_counts_for_nothing() -> None:
    """Trials that were brought from elsewhere with their results alone do not make up for curves."""
    rule = pruning_rule(SafePruner(), maximize=True, resumes=False)
    for number in range(9):
        rule.learn(Curve(number, {}, 10, complete=True))
    rule.learn(Curve(9, dict.fromkeys(range(1, 11), 0.9), 10, complete=True))
    decision = rule.judge(Standing(10, 5, 0.1, 0.1, 10, 0, halfway=0.1))
    assert (decision.prune, decision.missing) == (False, 2)


def test_what_is_no_number() -> None:
    """A trial with nothing but NaN is stopped; epochs without a number, or left out, are those before them."""
    rule = _rule([math.nan, 0.5, math.inf, 0.75])
    assert _judged(rule, 1, math.nan).prune
    assert _judged(rule, 3, 0.6).threshold == 0.5
    gaps = ForecastRule(1, 1.0, maximize=True)
    gaps.learn(Curve(0, {2: 0.5, 4: 0.75}, 4, complete=True))
    assert _judged(gaps, 3, 0.5).threshold == 0.5
    nothing = _rule([math.nan])
    assert not _judged(nothing, 1, 0.1).prune


@given(st.lists(st.lists(st.floats(-1, 1), min_size=3, max_size=3), min_size=2, max_size=8), st.booleans())
def test_no_trial_that_ends_best_was_stopped(curves: list[list[float]], maximize: bool) -> None:
    """Judged by trials that include itself, the best one would never have been stopped."""
    rule = _rule(*curves, planned=3, maximize=maximize)
    pick = max if maximize else min
    best = pick(curves, key=pick)
    for epoch in (1, 2, 3):
        assert not _judged(rule, epoch, pick(best[:epoch]), planned=3).prune or math.isclose(
            _judged(rule, epoch, 0.0, planned=3).threshold or 0.0, pick(best[:epoch]), abs_tol=1e-12
        )
