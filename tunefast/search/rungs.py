"""Rungs: where the trials of a study stand that wait until they are among the best there."""

from __future__ import annotations

from tunefast.search.pruning import Curve, PromotingRule, pruning_rule
from tunefast.search.pruning.promoting import Place
from tunefast.store.snapshot import StudySnapshot


def places(study: StudySnapshot) -> dict[int, Place]:
    """By trial that waits at a rung, where it stands among those that got there."""
    section = study.spec.study
    rule = pruning_rule(
        section.pruner, maximize=section.curve_maximize, seed=section.seed, resumes=study.trains_with_ours
    )
    if not study.at_rung or not isinstance(rule, PromotingRule):
        return {}
    curves: dict[int, dict[int, float]] = {}
    for row in study.epochs:
        if section.curve_metric in row["metrics"]:
            curves.setdefault(row["trial"], {})[row["epoch"]] = row["metrics"][section.curve_metric]
    for trial in study.trials:
        waits, planned = trial.number in study.at_rung, study.spec.epochs_for(trial.params)
        curve = curves.get(trial.number, trial.intermediate_values)
        known = planned if study.spec.knows_epochs else None
        rule.learn(Curve(trial.number, curve, known, running=waits, paused=waits))
    return {number: rule.place(number) for number in study.at_rung if curves.get(number)}


def where_in_words(place: Place) -> str:
    """Where a trial waits, as people are told after that it does."""
    return f"at rung {place.epoch} (rank {place.rank} of {place.num_trials})"
