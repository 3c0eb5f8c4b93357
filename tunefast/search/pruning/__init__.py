"""Pruning: whether a trial is stopped because others are better. Pure rules, functions of the curves they are told."""

from __future__ import annotations

import math
from collections.abc import Mapping

from tunefast.recipe.base import RecipePart
from tunefast.search.pruning.axis import COUNTED
from tunefast.search.pruning.forecast import ForecastRule
from tunefast.search.pruning.halving import HalvingRule, HyperbandRule
from tunefast.search.pruning.percentile import PercentileRule
from tunefast.search.pruning.promoting import PromotingRule
from tunefast.search.pruning.rule import Curve, Decision, NeverPrune, PruningRule, Standing, halfway
from tunefast.search.pruning.threshold import ThresholdRule
from tunefast.search.pruning.together import LaterRule, TogetherRule
from tunefast.spec.pruners import (
    AshaPruner,
    FastPruner,
    ForecastPruner,
    HyperbandPruner,
    PercentilePruner,
    Pruner,
    RankingPruner,
    SafePruner,
    ThresholdPruner,
)

__all__ = [
    "COUNTED",
    "Curve",
    "Decision",
    "NeverPrune",
    "PromotingRule",
    "PruningRule",
    "Standing",
    "counts_running",
    "halfway",
    "num_missing",
    "pruning_rule",
    "warmup_epochs",
]

MORE_FOR_RANKS = 2
"""Complete trials that a ranking needs beyond what a forecast does."""
BEST_RANKS = 67.0
"""Percent of the complete trials, among which one has to be."""
WARMUP_EPOCHS = 3
WARMUP_SHARE = 0.3
"""Of an annealed schedule: before that, a large learning rate looks bad however good it will end."""


def pruning_rule(settings: Pruner, *, maximize: bool, seed: int = 0) -> PruningRule:
    """The rule that the spec asks for; `seed` is the study's."""
    rule: PruningRule = NeverPrune()
    match settings:
        case RankingPruner():
            rule = PercentileRule(
                settings.startup_trials,
                maximize=maximize,
                percentile=settings.percentile if isinstance(settings, PercentilePruner) else 50.0,
                min_curves=settings.min_curves,
                include_running=settings.include_running,
                carry=settings.align == "carry",
                axis=settings.axis,
            )
        case AshaPruner(min_epochs=first, reduction=reduction, axis=axis, promote=True):
            rule = PromotingRule(first, reduction, maximize=maximize, shares=axis == "share")
        case AshaPruner(min_epochs=first, reduction=reduction, axis=axis):
            rule = HalvingRule(first, reduction, maximize=maximize, shares=axis == "share")
        case HyperbandPruner(min_epochs=first, reduction=reduction, axis=axis):
            rule = HyperbandRule(first, reduction, maximize=maximize, seed=seed, shares=axis == "share")
        case ThresholdPruner(lower=lower, upper=upper):
            rule = ThresholdRule(lower, upper)
        case ForecastPruner(startup_trials=startup, margin=margin):
            rule = ForecastRule(startup, margin, maximize=maximize)
        case SafePruner(startup_trials=startup, margin=margin, rank_after=share):
            least = startup + MORE_FOR_RANKS
            ranked = PercentileRule(least, maximize=maximize, percentile=BEST_RANKS, min_curves=least)
            forecast = ForecastRule(startup, margin, maximize=maximize)
            rule = TogetherRule([forecast, LaterRule(ranked, share)])
        case FastPruner(min_epochs=first, reduction=reduction, margin=margin):
            forecast = ForecastRule(1, margin, maximize=maximize)
            rule = TogetherRule([forecast, HalvingRule(first, reduction, maximize=maximize)])
    return rule


def num_missing(settings: Pruner, counts: Mapping[str, int]) -> int:
    """Trials that have to complete before any is judged, beside those that have; `counts` are trials by state."""
    counted = ("complete", "running") if counts_running(settings) else ("complete",)
    return max(0, getattr(settings, "startup_trials", 0) - sum(counts.get(state, 0) for state in counted))


def counts_running(settings: Pruner) -> bool:
    """Whether trials that run count as complete ones do."""
    return isinstance(settings, RankingPruner) and settings.include_running


def warmup_epochs(settings: Pruner, recipe: RecipePart) -> int:
    """Epochs of `recipe` before it is judged."""
    if isinstance(settings, FastPruner):
        return settings.min_epochs - 1
    given = getattr(settings, "warmup_epochs", None)
    if given is not None:
        return int(given)
    if not isinstance(settings, RankingPruner):
        return 0
    return max(WARMUP_EPOCHS, math.ceil(WARMUP_SHARE * recipe.epochs)) if recipe.annealed else WARMUP_EPOCHS
