"""Studies and trials as people read them, and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomlkit
from optuna.trial import FrozenTrial
from rich.console import Console
from rich.text import Text

from tunefast.cli.attempts import show_attempts
from tunefast.cli.confirmed import repeated_document
from tunefast.cli.judging import kept_epoch, kept_in_words, show_curve, show_missing, spent_in_words
from tunefast.cli.ledger import regret_document, show_regret
from tunefast.cli.output import (
    amount,
    counts_line,
    number,
    scaled,
    setting,
    short_params,
    show_settings,
)
from tunefast.cli.trial_table import show_trials
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.report.recipes import in_short, lines_of
from tunefast.report.sentences import imported_in_words, winner_in_words
from tunefast.search.confirmed import Confirmation, confirmation_of
from tunefast.search.rungs import places, where_in_words
from tunefast.shell import DEFAULT_STORAGE, command
from tunefast.store.rows import CLONED, EXTRAPOLATED, IMPORTED, RETRIES, SPLITS, main_value, settings_of
from tunefast.store.snapshot import StudySnapshot
from tunefast.store.studies import CONFIRMATION

OURS_ONLY = "tunefast:"
"""What the names of some attributes of trials begin with, so that people's own cannot be taken for them."""


def study_document(study: StudySnapshot) -> dict[str, Any]:
    """A study with all its trials, as plain data."""
    return {
        "study": study.name,
        "spec": study.spec.model_dump(mode="json"),
        "active_seconds": study.active_seconds,
        "edits": [edit._asdict() for edit in study.edits],
        "regret": regret_document(study),
        "paused": study.is_paused,
        "trials": [_trial_row(study, trial) for trial in study.trials],
    }


def trial_document(study: StudySnapshot, index: int) -> dict[str, Any]:
    """A trial with its recipe, attempts and curve, as plain data."""
    trial = study.trials[index]
    return {
        **_trial_row(study, trial),
        "recipe": study.recipe_of(trial, defaults=True),
        "attempts": _of_trial(study.attempts, trial),
        "epochs": _of_trial(study.epochs, trial),
    }


def best_document(study: StudySnapshot, best: FrozenTrial, confirmation: Confirmation | None) -> dict[str, Any]:
    """The winner, as plain data."""
    winner = confirmation.winner if confirmation is not None else None
    found = study.best
    return {
        **_trial_row(study, best),
        "confirmed": None if winner is None else repeated_document(winner),
        "seed": _seed(study, best),
        "best_of_search": None if found is None else {"trial": found.number, "value": main_value(found)},
        "recipe": study.recipe_of(best, defaults=True),
    }


def list_row(path: Path, name: str, study: StudySnapshot | None) -> dict[str, Any]:
    """A study in the list of studies, as plain data; None stands for one that is not ours."""
    found = confirmation_of(path, study) if study is not None else None
    winner = found.winner if found is not None else None
    best = study.best if study is not None and study.confirms is None else None
    return {
        "study": name,
        "paused": study is not None and study.is_paused,
        "trials": study.counts if study is not None else {},
        "metric": ", ".join(study.spec.study.metrics) if study is not None else None,
        "best": main_value(best) if best is not None else None,
        "confirmed": winner.mean if winner is not None else None,
    }


def _trial_row(study: StudySnapshot, trial: FrozenTrial) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "state": study.states[trial.number],
        "value": main_value(trial),
        **({"values": trial.values} if trial.values and len(trial.values) > 1 else {}),
        "params": settings_of(trial),
        **{name.removeprefix(OURS_ONLY): value for name, value in trial.user_attrs.items()},
    }


def _of_trial(rows: list[dict[str, Any]], trial: FrozenTrial) -> list[dict[str, Any]]:
    return [{key: row[key] for key in row if key != "study_uuid"} for row in rows if row["trial"] == trial.number]


def show_study(
    out: Console,
    study: StudySnapshot,
    confirmation: Confirmation | None = None,
    storage: str = DEFAULT_STORAGE,
) -> None:
    """Print the study's figures and a line per trial."""
    out.print(Text(study.name, style="bold"), end="")
    paused = "paused, " if study.is_paused else ""
    out.print(f": {paused}{counts_line(study.counts) or 'no trial yet'}; {amount(study.active_seconds)} of work")
    if study.confirms is not None:
        original = study.name.removesuffix(CONFIRMATION)
        says = command("study", "watch", study.name, storage=storage)
        out.print(f"the best of {original} on new seeds; what that says: {says}", soft_wrap=True)
    elif study.best is not None:
        source = f" ({imported})" if (imported := imported_in_words(study.best)) else ""
        out.print(f"best {values_in_words(study, study.best)}, trial {study.best.number}{source}", soft_wrap=True)
    elif study.spec.study.target is not None and study.nearest is not None:
        _show_nearest(out, study, study.nearest)
    if study.spec.study.has_several and study.front and study.confirms is None:
        out.print(f"best in one way or another: trials {', '.join(str(trial.number) for trial in study.front)}")
    if confirmation is not None and confirmation.winner is not None:
        out.print(f"confirmed: {winner_in_words(study, confirmation.winner)}", soft_wrap=True)
    for edit in study.edits:
        changes = ", ".join(change_in_words(path, *values) for path, values in edit.changes.items())
        out.print(f"edited after {edit.trials} trials: {changes}", soft_wrap=True)
    show_regret(out, study)
    show_missing(out, study)
    if not study.trials:
        return
    out.print()
    show_trials(out, study)


def _show_nearest(out: Console, study: StudySnapshot, trial: FrozenTrial) -> None:
    """Print which trial of a race would have got to the target for least, while none has."""
    section = study.spec.study
    if section.target is not None:
        aim = f"{section.target.metric} {number(section.target.value)}"
        needed = spent_in_words(section, trial.user_attrs[EXTRAPOLATED])
        out.print(f"no trial got to {aim} yet; by its curve trial {trial.number} would have, in {needed}")


def values_in_words(study: StudySnapshot, trial: FrozenTrial) -> str:
    """A trial's value of each objective."""
    pairs = zip(study.spec.study.metrics, trial.values or (), strict=True)
    return ", ".join(f"{metric} {number(value)}" for metric, value in pairs)


def change_in_words(path: str, before: Any, after: Any) -> str:
    """What an edit did to one value."""
    return f"{path} {_short(before)} -> {_short(after)}"


def _short(value: Any) -> str:
    return "none" if value is None else setting(value)


def _because(trial: FrozenTrial) -> str:
    reason = trial.user_attrs.get("reason")
    return f" ({reason})" if reason else ""


def show_trial(out: Console, study: StudySnapshot, index: int) -> None:
    """Print one trial: how it ended, its parameters, its attempts, its curve."""
    trial = study.trials[index]
    waiting = places(study).get(trial.number)
    where = f" {where_in_words(waiting)}" if waiting is not None else _because(trial)
    state = f"{study.states[trial.number]}{where}"
    out.print(Text(f"{study.name}, trial {trial.number}: {state}", style="bold"))
    if trial.values:
        out.print(f"{values_in_words(study, trial)}{_counts(study, trial)}", soft_wrap=True)
    if IMPORTED in trial.user_attrs:
        out.print(imported_in_words(trial), soft_wrap=True)
    if CLONED in trial.user_attrs:
        out.print(f"a variant of trial {trial.user_attrs[CLONED]}")
    if RETRIES in trial.user_attrs:
        out.print(f"tries trial {trial.user_attrs[RETRIES]} again")
    for other in study.trials:
        if other.user_attrs.get(RETRIES) == trial.number:
            out.print(f"trial {other.number} tries it again")
    if SPLITS in trial.user_attrs:
        out.print(f"its batches were halved {trial.user_attrs[SPLITS]} times for lack of memory")
    show_settings(out, settings_of(trial))
    runs = study.states[trial.number] == "running"
    show_attempts(out, _of_trial(study.attempts, trial), runs=runs)
    rows = _of_trial(study.epochs, trial)
    _show_details(out, [row["details"] or {} for row in rows])
    if rows:
        show_curve(out, study, trial, rows)
    if "error" in trial.user_attrs:
        out.print()
        out.print(trial.user_attrs["error"], markup=False)


def _counts(study: StudySnapshot, trial: FrozenTrial) -> str:
    """Which epoch a trial's value is of, and why that one."""
    kept = kept_epoch(trial)
    return "" if kept is None else f" at epoch {kept}{kept_in_words(study, trial, kept)}"


def _show_details(out: Console, details: list[dict[str, float]]) -> None:
    """Print what the model costs, and the steps that fp16 lost."""
    first = details[0] if details else {}
    if "num_parameters" in first:
        flops = scaled(first["forward_flops"])
        out.print(f"model: {first['num_parameters']:,.0f} parameters, {flops}FLOP in a sample's forward pass")
    skipped = sum(each.get("skipped_steps", 0) for each in details)
    if skipped:
        out.print(f"fp16: {skipped:.0f} optimizer steps left out because gradients overflowed")


def show_best(out: Console, study: StudySnapshot, best: FrozenTrial, confirmation: Confirmation | None) -> None:
    """Print the winner's value, parameters and whole recipe."""
    title = f"# {values_in_words(study, best)}, trial {best.number}: {short_params(best.params)}"
    out.print(Text(title, style="bold green"), soft_wrap=True)
    for line in _of_confirmation(study, confirmation):
        out.print(f"# {line}", soft_wrap=True)
    checked = study.spec.recipe_for(best.params, best.user_attrs.get(SPLITS, 0))
    seed = _seed(study, best)
    words = in_short(checked) if isinstance(checked, TrainingRecipe) else []
    for line in lines_of(words):
        out.print(f"# {line}", soft_wrap=True)
    if seed is not None:
        out.print(f"# for the same random draws add to the recipe: seed = {seed}", soft_wrap=True)
    recipe = study.recipe_of(best)
    section = study.spec.study
    direction = {} if section.direction is None else {"direction": section.direction}
    target = {} if section.target is None else {"target": section.target.model_dump(exclude_defaults=True)}
    told = {"study": {"metric": section.metric, **direction, **target}, "recipe": recipe}
    out.print(tomlkit.dumps(told), markup=False, soft_wrap=True, end="")


def _seed(study: StudySnapshot, trial: FrozenTrial) -> int | None:
    """What decided the random draws of a trial's last attempt; None of one that tunefast did not train."""
    return next((row["seed"] for row in reversed(study.attempts) if row["trial"] == trial.number), None)


def _of_confirmation(study: StudySnapshot, confirmation: Confirmation | None) -> list[str]:
    """How sure the winner is, where somebody asked for that."""
    winner = confirmation.winner if confirmation is not None else None
    if confirmation is None or study.best is None:
        return []
    if winner is None:
        what = "is not finished" if confirmation.is_unfinished else "names none: no trial is complete on all seeds"
        return [f"the best of the search; its confirmation {what}"]
    said = [f"confirmed: {winner_in_words(study, winner)}"]
    if study.best.number != winner.trial:
        again = next((each for each in confirmation.trials if each.trial == study.best.number), None)
        mean = "not confirmed" if again is None else f"mean {number(again.mean)}"
        said.append(f"the best of the search was trial {study.best.number}, {number(main_value(study.best))}; {mean}")
    return said
