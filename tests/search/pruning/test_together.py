"""Several rules as one."""

from __future__ import annotations

import pytest

from tunefast.recipe.recipe import RECIPE
from tunefast.search.pruning import Curve, Decision, Standing, pruning_rule, warmup_epochs
from tunefast.spec.pruners import FastPruner, SafePruner


def test_fast_is_halving_and_forecast() -> None:
    """The worse half of a rung is stopped, and between the rungs whoever is forecast to fall short."""
    rule = pruning_rule(FastPruner(), maximize=True, resumes=False)
    assert warmup_epochs(FastPruner(), RECIPE.validate_python({"objective": "a:b"})) == 1

    def stopped(number: int, epoch: int, best: float) -> bool:
        return rule.judge(Standing(number, epoch, best, best, 8, 1, halfway=best)).prune

    assert not any(stopped(0, epoch, 0.5) for epoch in (1, 2, 3, 4))
    assert not stopped(1, 1, 0.1)
    assert stopped(1, 2, 0.1)
    rule.learn(Curve(0, dict.fromkeys(range(1, 9), 0.5), 8, complete=True))
    assert not stopped(2, 2, 0.6)
    assert stopped(2, 3, 0.4)
    assert not stopped(2, 3, 0.5)


def test_the_numbers_are_those_of_the_rule_that_stops() -> None:
    """At a rung the decision is halving's where that stops a trial."""
    rule = pruning_rule(FastPruner(), maximize=False, resumes=False)
    rule.judge(Standing(0, 2, 0.1, 0.1, 8, 1))
    decision = rule.judge(Standing(1, 2, 0.3, 0.3, 8, 1))
    assert (decision.prune, decision.threshold, decision.num_curves) == (True, 0.1, 2)
    rule.judge(Standing(2, 2, 0.05, 0.05, 8, 1))
    assert rule.judge(Standing(2, 3, 0.3, 0.05, 8, 1)).missing == 1


def test_safe_is_forecast_and_rank_later() -> None:
    """After a fifth of its epochs one of the worst third is stopped, before that one without hope, at its end none."""
    rule = pruning_rule(SafePruner(startup_trials=2), maximize=True, resumes=False)
    for number, last in enumerate((0.2, 0.3, 0.7, 0.8)):
        rule.learn(Curve(number, {epoch: 0.9 if epoch == 1 else last for epoch in range(1, 11)}, 10, complete=True))
    slow = {epoch: 0.1 * epoch for epoch in range(1, 11)}
    for number, curve in enumerate((slow, slow), start=4):
        rule.learn(Curve(number, curve, 10, complete=True))

    def judged(epoch: int, best: float) -> Decision:
        return rule.judge(Standing(9, epoch, best, best, 10, 0, halfway=best))

    assert not judged(2, 0.2).prune
    decision = judged(3, 0.25)
    assert (decision.prune, decision.num_curves) == (True, 6)
    assert decision.threshold == pytest.approx(0.3)
    assert not judged(3, 0.35).prune
    assert judged(9, 0.35).prune
    assert not judged(10, 0.35).prune


def test_safe_needs_two_more_for_ranks() -> None:
    """The forecast judges after three complete trials, the rank after five."""
    rule = pruning_rule(SafePruner(), maximize=True, resumes=False)
    for number in range(4):
        rule.learn(Curve(number, {1: 0.1, 2: 0.1, 3: 0.1, 4: 0.5, 5: 0.9}, 5, complete=True))
    assert not rule.judge(Standing(9, 3, 0.08, 0.08, 5, 0, halfway=0.0)).prune
    assert rule.judge(Standing(9, 4, 0.05, 0.05, 5, 0, halfway=0.0)).prune
    rule.learn(Curve(4, {1: 0.1, 2: 0.1, 3: 0.1, 4: 0.5, 5: 0.9}, 5, complete=True))
    assert rule.judge(Standing(9, 3, 0.08, 0.08, 5, 0, halfway=0.0)).prune
