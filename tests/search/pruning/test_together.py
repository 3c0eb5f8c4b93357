"""Several rules as one."""

from __future__ import annotations

from tunefast.recipe.recipe import RECIPE
from tunefast.search.pruning import Curve, Standing, pruning_rule, warmup_epochs
from tunefast.spec.pruners import FastPruner


def test_fast_is_halving_and_forecast() -> None:
    """The worse half of a rung is stopped, and between the rungs whoever is forecast to fall short."""
    rule = pruning_rule(FastPruner(), maximize=True)
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
    rule = pruning_rule(FastPruner(), maximize=False)
    rule.judge(Standing(0, 2, 0.1, 0.1, 8, 1))
    decision = rule.judge(Standing(1, 2, 0.3, 0.3, 8, 1))
    assert (decision.prune, decision.threshold, decision.num_curves) == (True, 0.1, 2)
    assert rule.judge(Standing(2, 3, 0.3, 0.3, 8, 1)).missing == 1
