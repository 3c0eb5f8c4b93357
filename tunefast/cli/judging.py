"""How trials are judged, for people: what the pruner waits for, and what a trial was measured against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from optuna.trial import FrozenTrial
from rich.console import Console

from tunefast.cli.output import number, plain_table
from tunefast.recipe.own_training import ObjectiveRecipe
from tunefast.report.phrases import race_cost
from tunefast.search.pruning import counts_running, num_missing
from tunefast.search.pruning.rule import MISSING, NUM_CURVES, THRESHOLD
from tunefast.search.race import BEST, CURVES, NEEDED, SPENT
from tunefast.spec.progress import PRUNER, RACE, TARGET
from tunefast.spec.study_section import StudySection
from tunefast.store.rows import AUDITED, SPLITS, state_word
from tunefast.store.snapshot import StudySnapshot


def show_missing(out: Console, study: StudySnapshot) -> None:
    """Print what the pruner waits for before it stops any trial, where there are to be more of them."""
    states = Counter(study.states.values())  # imported ones help the pruner as well
    missing = num_missing(study.spec.study.pruner, states, resumes=study.trains_with_ours)
    if missing and study.trials and not study.is_over:
        out.print(
            f"the {study.spec.study.pruner.name} pruner needs {missing} {missing_in_words(study)} before it stops any"
        )


def missing_in_words(study: StudySnapshot) -> str:
    """Of what the pruner needs more."""
    return "more trials, complete or running," if counts_running(study.spec.study.pruner) else "more complete trials"


def show_curve(out: Console, study: StudySnapshot, trial: FrozenTrial, rows: list[dict[str, Any]]) -> None:
    """Print a line per epoch, with what the pruner measured the trial against."""
    judged = [row["details"] or {} for row in rows]
    last, name = judged[-1], study.spec.study.pruner.name
    if AUDITED in trial.user_attrs:
        out.print(
            f"would have been stopped at epoch {trial.user_attrs[AUDITED]} by the {name} pruner; ran on for the audit"
        )
    if trial.user_attrs.get("reason") == PRUNER and THRESHOLD in last:
        section = study.spec.study
        curve = [row["metrics"][section.curve_metric] for row in rows if section.curve_metric in row["metrics"]]
        best = (max if section.curve_maximize else min)(curve)
        against = f"{number(last[THRESHOLD])}, from {last.get(NUM_CURVES, 0):.0f} trials"
        out.print(f"stopped by the {name} pruner: its best was {number(best)}, against {against}")
    elif trial.user_attrs.get("reason") == RACE and SPENT in last:
        out.print(_why_it_lost(study, last), soft_wrap=True)
    elif MISSING in last:
        out.print(f"the {name} pruner needed {last[MISSING]:.0f} {missing_in_words(study)} to judge it")
    out.print()
    metrics = list(rows[0]["metrics"])
    measured = (name,) if any(THRESHOLD in numbers for numbers in judged) else ()
    names = ("epoch", *metrics, *measured, "rate", "seconds")
    kept = kept_epoch(trial)
    table = plain_table(*names, "", right=names)
    for row, numbers in zip(rows, judged, strict=True):
        values = [number(row["metrics"].get(metric)) for metric in metrics]
        thresholds = [number(numbers.get(THRESHOLD)) for _ in measured]
        rate = "-" if row["learning_rate"] is None else f"{row['learning_rate']:.3g}"
        counts = row["epoch"] == kept
        cells = (str(row["epoch"]), *values, *thresholds, rate, f"{row['train_seconds']:.2f}")
        table.add_row(*cells, "kept" if counts else "", style="green" if counts else "")
    out.print(table)


def kept_epoch(trial: FrozenTrial) -> int | None:
    """The epoch that a complete trial's value is of; None where nobody knows, and for others, which have no choice."""
    kept: int | None = trial.user_attrs.get("kept_epoch")
    return kept if state_word(trial) == "complete" else None


def kept_in_words(study: StudySnapshot, trial: FrozenTrial, kept: int) -> str:
    """Why a trial's value is that of epoch `kept`, after its number; nothing where its training decides."""
    recipe = study.spec.recipe_for(trial.params, trial.user_attrs.get(SPLITS, 0))
    patience = recipe.patience()
    if trial.user_attrs.get("reason") == TARGET:
        return ", where it got to the target"
    if isinstance(recipe, ObjectiveRecipe) and recipe.style == "optuna":
        return ""
    if patience is not None and patience.restore_best_weights and kept > (patience.start_from_epoch or 0):
        rows = (row for row in study.epochs if (row["trial"], row["epoch"]) == (trial.number, kept))
        best = next((f" ({number(row['metrics'].get(patience.monitor))})" for row in rows), "")
        since = f" from epoch {patience.start_from_epoch + 1} on" if patience.start_from_epoch else ""
        return f": early_stopping keeps the epoch with the best {patience.monitor}{best}{since}"
    return ", the last one" if kept == study.epochs_reached[trial.number] else ""


def _why_it_lost(study: StudySnapshot, last: Mapping[str, float]) -> str:
    """Why a trial of a race was stopped, in numbers."""
    section = study.spec.study
    spent = f"it had spent {spent_in_words(section, last[SPENT])}"
    best = f", where the best trial took {spent_in_words(section, last[BEST])}" if BEST in last else ""
    if NEEDED not in last:
        return f"stopped since it could not win: {spent}{best}"
    needed = f"its {section.curve_metric} had to be {number(last[NEEDED])} by then"
    return f"stopped since it would not get there in time: {needed}, from {last[CURVES]:.0f} trials; {spent}{best}"


def spent_in_words(section: StudySection, value: float) -> str:
    """What a trial of a race took, so exactly that close ones can be told apart."""
    return race_cost(section.main_metric, value, lambda seconds: f"{number(seconds)} s")
