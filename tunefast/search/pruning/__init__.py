"""Pruning: whether a trial is stopped because others are better. Pure rules, functions of the curves they are told."""

from __future__ import annotations

import math
from collections.abc import Mapping

from tunefast.recipe.base import RecipePart
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.search.pruning.axis import COUNTED
from tunefast.search.pruning.forecast import ForecastRule
from tunefast.search.pruning.halving import HalvingRule, HyperbandRule
from tunefast.search.pruning.percentile import PercentileRule
from tunefast.search.pruning.promoting import PromotingRule
from tunefast.search.pruning.rule import Curve, Decision, NeverPrune, PruningRule, Standing, halfway
from tunefast.search.pruning.saving import SavingRule
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
SAFE_MARGIN, SAFE_REDUCTION, SAFE_CHANCES = 2.0, 2, 1.25
"""Where trials wait at rungs: times the margin, of so many one goes on, and of so many when no more trials begin."""
SAFE_SHARE = 0.5
"""Of all trials' epochs, that they may spend there."""
FAST_MARGIN, FAST_LATE, FAST_TREND, FAST_CHANCES = 1.25, 1.2, 0.2, 0.75
"""Times the margin, and again with an annealed schedule; how much of a trial's last gain counts for every doubling of
its epochs that is to come; and of so many times `reduction` one goes on when no more trials begin."""
WARMUP_EPOCHS = 3
WARMUP_SHARE = 0.3
"""Of an annealed schedule: before that, a large learning rate looks bad however good it will end."""


def pruning_rule(settings: Pruner, *, maximize: bool, seed: int = 0, resumes: bool = True) -> PruningRule:
    """The rule that the spec asks for; `seed` is the study's, `resumes` whether its trials go on for little."""
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
        case SafePruner():
            rule = _safe(settings, maximize=maximize, promote=settings.promotes(resumes=resumes))
        case FastPruner():
            rule = _fast(settings, maximize=maximize, promote=settings.promotes(resumes=resumes))
    return rule


def _safe(settings: SafePruner, *, maximize: bool, promote: bool) -> PruningRule:
    startup, margin = settings.startup_trials, settings.margin
    if promote:
        hopeless = ForecastRule(1, SAFE_MARGIN * margin, maximize=maximize)
        first = max(1, settings.warmup_epochs)
        return SavingRule(first, SAFE_REDUCTION, SAFE_SHARE, maximize=maximize, forecast=hopeless, chances=SAFE_CHANCES)
    least = startup + MORE_FOR_RANKS
    ranked = PercentileRule(least, maximize=maximize, percentile=BEST_RANKS, min_curves=least)
    return TogetherRule([ForecastRule(startup, margin, maximize=maximize), LaterRule(ranked, settings.rank_after)])


def _fast(settings: FastPruner, *, maximize: bool, promote: bool) -> PruningRule:
    first, reduction, margin = settings.min_epochs, settings.reduction, settings.margin
    if promote:
        hopeless = ForecastRule(1, FAST_MARGIN * margin, maximize=maximize, late=FAST_LATE)
        chances = FAST_CHANCES * reduction
        return PromotingRule(first, reduction, maximize=maximize, forecast=hopeless, trend=FAST_TREND, chances=chances)
    forecast = ForecastRule(1, margin, maximize=maximize)
    return TogetherRule([forecast, HalvingRule(first, reduction, maximize=maximize)])


def num_missing(settings: Pruner, counts: Mapping[str, int], *, resumes: bool = True) -> int:
    """Trials that have to complete before any is judged, beside those that have; `counts` are trials by state.

    `resumes` is whether trials go on for little.
    """
    if isinstance(settings, SafePruner) and settings.promotes(resumes=resumes):
        return 0
    counted = ("complete", "running") if counts_running(settings) else ("complete",)
    return max(0, getattr(settings, "startup_trials", 0) - sum(counts.get(state, 0) for state in counted))


def counts_running(settings: Pruner) -> bool:
    """Whether trials that run count as complete ones do."""
    return isinstance(settings, RankingPruner) and settings.include_running


def warmup_epochs(settings: Pruner, recipe: RecipePart) -> int:
    """Epochs of `recipe` before it is judged."""
    if isinstance(settings, FastPruner):
        return settings.min_epochs - 1
    if isinstance(settings, SafePruner) and settings.promotes(resumes=isinstance(recipe, TrainingRecipe)):
        return max(0, settings.warmup_epochs - 1)  # after it the first rung stands
    given = getattr(settings, "warmup_epochs", None)
    if given is not None:
        return int(given)
    if not isinstance(settings, RankingPruner):
        return 0
    return max(WARMUP_EPOCHS, math.ceil(WARMUP_SHARE * recipe.epochs)) if recipe.annealed else WARMUP_EPOCHS
