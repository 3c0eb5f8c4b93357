"""Successive halving against Optuna's own pruners."""

from __future__ import annotations

import itertools
import math

import optuna
from hypothesis import given, settings
from hypothesis import strategies as st

from tunefast.search.pruning import Curve, Standing, pruning_rule
from tunefast.search.pruning.halving import HalvingRule, HyperbandRule
from tunefast.spec.pruners import AshaPruner, HyperbandPruner

falling = st.lists(st.integers(0, 50), min_size=1, max_size=10).map(
    lambda steps: list(itertools.accumulate(steps, lambda one, more: one - more, initial=100.0))
)


@given(
    curves=st.lists(falling, max_size=14),
    min_epochs=st.integers(1, 3),
    reduction=st.integers(2, 4),
    maximize=st.booleans(),
)
@settings(max_examples=60)
def test_decides_what_optuna_decides(
    *, curves: list[list[float]], min_epochs: int, reduction: int, maximize: bool
) -> None:
    """On curves that only get better, a trial is stopped at the rungs where Optuna's successive halving stops it."""
    study = optuna.create_study(
        direction="maximize" if maximize else "minimize",
        pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=min_epochs, reduction_factor=reduction),
    )
    rule = pruning_rule(AshaPruner(min_epochs=min_epochs, reduction=reduction), maximize=maximize)
    for costs in curves:
        trial = study.ask()
        for epoch, cost in enumerate(costs, start=1):
            value = -cost if maximize else cost
            trial.report(value, epoch)
            expected = trial.should_prune()
            assert rule.judge(Standing(trial.number, epoch, value, value)).prune == expected
            if expected:
                break
        study.tell(trial, value)


def test_the_best_of_a_rung_go_on() -> None:
    """Of four at a rung one goes on; the first one always does; a trial without a number never."""
    rule = HalvingRule(2, 4, maximize=True)
    judged = [rule.judge(Standing(number, 2, 0.0, best)).prune for number, best in enumerate([0.5, 0.4, 0.6, 0.7])]
    assert judged == [False, True, False, False]
    assert rule.judge(Standing(4, 2, 0.0, 0.6)) == (True, 0.7, 5, 0)
    assert not rule.judge(Standing(4, 3, 0.0, 0.1)).prune
    assert not rule.judge(Standing(3, 8, 0.0, 0.1)).prune
    assert rule.judge(Standing(5, 2, math.nan, math.nan)).prune


def test_a_rung_counts_a_trial_once() -> None:
    """A trial that gets to a rung again, after its worker died, stands there once, where it stands now."""
    curve = {1: 0.1, 2: 0.3, 3: math.nan, 4: 0.2}
    told, judged = HalvingRule(1, 2, maximize=True), HalvingRule(1, 2, maximize=True)
    told.learn(Curve(0, curve, 8))
    told.learn(Curve(0, {**curve, 8: 0.9}, 8, complete=True))
    for epoch, best in ((1, 0.1), (2, 0.25), (2, 0.3), (4, 0.3), (8, 0.9)):
        judged.judge(Standing(0, epoch, best, best))
    for epoch, best in ((1, 0.1), (2, 0.3), (4, 0.3), (8, 0.9)):
        of_told, of_judged = (rule.judge(Standing(1, epoch, 0.0, 0.0)) for rule in (told, judged))
        assert of_told == of_judged == (True, best, 2, 0)


def test_brackets_begin_later_and_later() -> None:
    """Every bracket gets trials, the first most of them; one bracket's trials are not held against another's."""
    rule = pruning_rule(HyperbandPruner(), maximize=False, seed=3)
    assert isinstance(rule, HyperbandRule)
    first_judged: dict[int, int] = {}
    for number in range(90):
        for epoch in range(1, 28):
            if rule.judge(Standing(number, epoch, 1.0, 1.0, 27)).num_curves:
                first_judged[number] = epoch
                break
    starts = [list(first_judged.values()).count(rung) for rung in (1, 3, 9, 27)]
    assert sum(starts) == 90
    assert starts[0] > starts[2] > 0
    assert starts[3] > 0
    again = pruning_rule(HyperbandPruner(), maximize=False, seed=3)
    assert [again.judge(Standing(0, epoch, 1.0, 1.0, 27)).num_curves for epoch in (1, 3, 9, 27)].index(1) >= 0


def test_epochs_that_step_over_the_rungs() -> None:
    """A training that is evaluated every fifth epoch stands at a rung with its first report beyond it."""
    told, rule = HalvingRule(1, 4, maximize=True), HalvingRule(1, 4, maximize=True)
    for number, best in enumerate((0.9, 0.5)):
        judged = [rule.judge(Standing(number, epoch, best, best)) for epoch in (5, 10, 15, 20)]
        assert [decision.prune for decision in judged] == [number == 1, False, False, number == 1]
        told.learn(Curve(number, dict.fromkeys((5, 10, 15, 20), best), None))
    assert told.judge(Standing(2, 5, 0.1, 0.1)) == rule.judge(Standing(2, 5, 0.1, 0.1))


def test_brackets_of_trials_whose_end_nobody_knows() -> None:
    """A trial stays in its bracket however far it gets."""
    rule = pruning_rule(HyperbandPruner(), maximize=True)
    first_judged = []
    for number in range(60):
        judged = [epoch for epoch in range(1, 28) if rule.judge(Standing(number, epoch, 1.0, 1.0)).num_curves]
        first_judged.append(judged[0])
        assert judged == [epoch for epoch in (1, 3, 9, 27) if epoch >= judged[0]]
    assert {1, 3, 9} == set(first_judged)
