"""Pruning by percentile against Optuna's own pruner."""

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
from tunefast.search.pruning import Curve, Decision, NeverPrune, PruningRule, Standing, pruning_rule, warmup_epochs
from tunefast.search.pruning.percentile import PercentileRule, percentile
from tunefast.search.running import Running
from tunefast.spec.pruners import MedianPruner, NoPruner

number = st.floats(-2, 2) | st.sampled_from([0.0, 0.5, math.nan])
ENDS = [TrialState.COMPLETE, TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]
curves = st.lists(st.lists(number, min_size=1, max_size=6), max_size=12)


@given(
    curves=curves,
    startup_trials=st.integers(1, 4),
    warmup=st.integers(0, 4),
    maximize=st.booleans(),
    percent=st.sampled_from([50.0, 25.0, 10.0, 90.0, 33.3]),
    least=st.integers(1, 3),
    data=st.data(),
)
@settings(max_examples=60)
def test_decides_what_optuna_decides(
    *,
    curves: list[list[float]],
    startup_trials: int,
    warmup: int,
    maximize: bool,
    percent: float,
    least: int,
    data: st.DataObject,
) -> None:
    """After every report of every trial, our rule stops it where Optuna's pruner would, and nowhere else."""
    study = optuna.create_study(
        direction="maximize" if maximize else "minimize",
        pruner=optuna.pruners.PercentilePruner(
            percent, n_startup_trials=startup_trials, n_warmup_steps=warmup + 1, n_min_trials=least
        ),
    )
    rule = PercentileRule(startup_trials, maximize=maximize, percentile=percent, min_curves=least)
    for curve in curves:
        trial = study.ask()
        running = Running(trial.number, 0, RECIPE.validate_python({"objective": "a:b"}), warmup)
        for epoch, value in enumerate(curve, start=1):
            trial.report(value, epoch)
            running.values[epoch] = value
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's, of a curve that is all NaN
                expected = trial.should_prune()
            standing = Standing(0, epoch, value, running.best(maximize=maximize), None, warmup)
            assert rule.judge(standing).prune == expected
        ended = data.draw(st.sampled_from(ENDS))
        study.tell(trial, 0.0 if ended is TrialState.COMPLETE else None, state=ended)
        if ended is TrialState.COMPLETE:
            rule.learn(Curve(trial.number, running.values, None, complete=True))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9), st.sampled_from([50.0, 25.0, 10.0, 75.0, 33.3]))
def test_the_percentile_is_numpys_to_the_last_bit(values: list[float], percent: float) -> None:
    """A trial exactly as good as the percentile is judged alike: both sides compute the same number."""
    assert percentile(sorted(values), percent) == float(np.nanpercentile(np.array(values), percent))


def _learn(rule: PruningRule, *curves: dict[int, float]) -> None:
    for number, curve in enumerate(curves):
        rule.learn(Curve(number, curve, None, complete=True))


def test_a_curve_without_a_number_has_got_there() -> None:
    """A completed trial that reported NaN at the epoch counts among the curves that a trial is judged by, not there."""
    rule = PercentileRule(1, maximize=True, min_curves=2)
    _learn(rule, {1: 0.5, 2: 0.5}, {1: 0.5, 2: math.nan}, {1: math.nan, 2: math.nan, 3: math.nan})
    assert [rule.judge(Standing(9, epoch, 0.1, 0.1)).prune for epoch in (1, 2, 3)] == [True, True, False]


def test_a_decision_names_its_numbers() -> None:
    """What a trial was measured against can be shown: the median, of how many curves it is, how many are missing."""
    rule = PercentileRule(2, maximize=True)

    def judged(epoch: int, best: float, warmup: int = 0) -> Decision:
        return rule.judge(Standing(9, epoch, best, best, None, warmup))

    assert judged(1, 0.0) == Decision(prune=False, threshold=None, num_curves=0, missing=2)
    _learn(rule, {1: 0.2, 2: 0.4})
    assert judged(1, 0.0) == Decision(prune=False, threshold=None, num_curves=1, missing=1)
    _learn(rule, {1: 0.6, 2: math.nan})
    assert judged(1, 0.3) == Decision(prune=True, threshold=0.4, num_curves=2)
    assert judged(1, 0.4) == Decision(prune=False, threshold=0.4, num_curves=2)
    assert judged(1, 0.3, 1) == Decision(prune=False, threshold=None, num_curves=2)
    assert judged(2, 0.3, 1) == Decision(prune=True, threshold=0.4, num_curves=1)
    assert judged(3, 0.0) == Decision(prune=False, threshold=None, num_curves=0)
    assert judged(3, math.nan).prune
    assert judged(1, 0.3).numbers() == {"pruner_threshold": 0.4, "pruner_curves": 2.0}


def test_the_spec_chooses_the_rule() -> None:
    """A study without a pruner stops no trial; one with a median rule has its start-up trials."""
    never = pruning_rule(NoPruner(), maximize=True)
    _learn(never, {1: 1.0})
    assert isinstance(never, NeverPrune)
    assert not never.judge(Standing(9, 1, -math.inf, -math.inf)).prune
    rule = pruning_rule(MedianPruner(startup_trials=1), maximize=False)
    _learn(rule, {1: 1.0})
    assert rule.judge(Standing(9, 1, 2.0, 2.0)).prune
    assert not rule.judge(Standing(9, 1, 0.5, 0.5)).prune


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
