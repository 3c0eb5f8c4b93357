"""Pruning against Optuna's own pruner."""

from __future__ import annotations

import math
import warnings

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from tunefast.recipe.recipe import RECIPE
from tunefast.search.pruners import Decision, MedianRule, NeverPrune, pruning_rule, warmup_epochs
from tunefast.search.running import Running
from tunefast.spec.study import MedianPruner, NoPruner

number = st.floats(-2, 2) | st.sampled_from([0.0, 0.5, math.nan])
ENDS = [TrialState.COMPLETE, TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]
curves = st.lists(st.lists(number, min_size=1, max_size=6), max_size=12)


@given(
    curves=curves, startup_trials=st.integers(1, 4), warmup=st.integers(0, 4), maximize=st.booleans(), data=st.data()
)
@settings(max_examples=40)
def test_decides_what_optuna_decides(
    *, curves: list[list[float]], startup_trials: int, warmup: int, maximize: bool, data: st.DataObject
) -> None:
    """After every report of every trial, our rule stops it where Optuna's median pruner would, and nowhere else."""
    study = optuna.create_study(
        direction="maximize" if maximize else "minimize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=startup_trials, n_warmup_steps=warmup + 1),
    )
    rule = MedianRule(startup_trials, maximize=maximize)
    for curve in curves:
        trial = study.ask()
        running = Running(trial.number, 0, RECIPE.validate_python({"objective": "a:b"}), warmup)
        for epoch, value in enumerate(curve, start=1):
            trial.report(value, epoch)
            running.values[epoch] = value
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's, of a curve that is all NaN
                expected = trial.should_prune()
            assert rule.judge(epoch, running.best(maximize=maximize), warmup).prune == expected
        ended = data.draw(st.sampled_from(ENDS))
        study.tell(trial, 0.0 if ended is TrialState.COMPLETE else None, state=ended)
        if ended is TrialState.COMPLETE:
            rule.complete(running.values)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9))
def test_the_median_is_numpys_to_the_last_bit(values: list[float]) -> None:
    """A trial exactly as good as the median is judged alike: both sides compute the same number."""
    rule = MedianRule(1, maximize=True)
    for value in values:
        rule.complete({1: value})
    assert rule.judge(1, 0.0, 0).threshold == float(np.nanpercentile(np.array(values), 50))


def test_a_decision_names_its_numbers() -> None:
    """What a trial was measured against can be shown: the median, and of how many curves it is."""
    rule = MedianRule(2, maximize=True)
    assert rule.judge(1, 0.0, 0) == Decision(prune=False, threshold=None, num_curves=0)
    rule.complete({1: 0.2, 2: 0.4})
    assert rule.judge(1, 0.0, 0) == Decision(prune=False, threshold=None, num_curves=1)
    rule.complete({1: 0.6, 2: math.nan})
    assert rule.judge(1, 0.3, 0) == Decision(prune=True, threshold=0.4, num_curves=2)
    assert rule.judge(1, 0.4, 0) == Decision(prune=False, threshold=0.4, num_curves=2)
    assert rule.judge(1, 0.3, 1) == Decision(prune=False, threshold=None, num_curves=2)
    assert rule.judge(2, 0.3, 1) == Decision(prune=True, threshold=0.4, num_curves=1)
    assert rule.judge(3, 0.0, 0) == Decision(prune=False, threshold=None, num_curves=0)
    assert rule.judge(3, math.nan, 0).prune


def test_the_spec_chooses_the_rule() -> None:
    """A study without a pruner stops no trial; one with a median rule has its start-up trials."""
    never = pruning_rule(NoPruner(), maximize=True)
    never.complete({1: 1.0})
    assert isinstance(never, NeverPrune)
    assert not never.judge(1, -math.inf, 0).prune
    rule = pruning_rule(MedianPruner(startup_trials=1), maximize=False)
    rule.complete({1: 1.0})
    assert rule.judge(1, 2.0, 0).prune
    assert not rule.judge(1, 0.5, 0).prune


@pytest.mark.parametrize(
    ("schedule", "epochs", "given_epochs", "expected"),
    [
        ("constant", 100, None, 3),
        ("one_cycle", 10, None, 3),
        ("one_cycle", 11, None, 4),
        ("one_cycle", 100, None, 30),
        ("cosine", 100, None, 30),
        ("one_cycle", 100, 0, 0),
        ("constant", 100, 7, 7),
    ],
)
def test_warm_up(schedule: str, epochs: int, given_epochs: int | None, expected: int) -> None:
    """The user's warm-up; else 3 epochs, or 30 % of a schedule that ends low, whichever is longer."""
    recipe = RECIPE.validate_python({"data": {"name": "digits"}, "schedule": {"name": schedule}, "epochs": epochs})
    assert warmup_epochs(MedianPruner(warmup_epochs=given_epochs), recipe) == expected


def test_an_objective_has_the_short_warm_up() -> None:
    """Of a user's objective no schedule is known."""
    assert warmup_epochs(MedianPruner(), RECIPE.validate_python({"objective": "a:b", "epochs": 100})) == 3
