"""Studies and trials as people read them, and as JSON."""

from __future__ import annotations

from typing import Any

from optuna.trial import FrozenTrial
from rich.console import Console
from rich.text import Text

from tunefast.cli.output import counts_line, duration, number, plain_table, setting, short_params
from tunefast.store.snapshot import StudySnapshot
from tunefast.store.trials import STATE_WORDS


def study_document(study: StudySnapshot) -> dict[str, Any]:
    """A study with all its trials, as plain data."""
    return {
        "study": study.name,
        "spec": study.spec.model_dump(mode="json"),
        "active_seconds": study.active_seconds,
        "trials": [_trial_row(trial) for trial in study.trials],
    }


def trial_document(study: StudySnapshot, index: int) -> dict[str, Any]:
    """A trial with its recipe, attempts and curve, as plain data."""
    trial = study.trials[index]
    return {
        **_trial_row(trial),
        "recipe": study.spec.recipe_for(trial.params).table(),
        "attempts": _of_trial(study.attempts, trial),
        "epochs": _of_trial(study.epochs, trial),
    }


def best_document(study: StudySnapshot, best: FrozenTrial) -> dict[str, Any]:
    """The winner, as plain data."""
    return {**_trial_row(best), "recipe": study.spec.recipe_for(best.params).table()}


def _trial_row(trial: FrozenTrial) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "state": STATE_WORDS[trial.state],
        "value": trial.value,
        "params": trial.params,
        **trial.user_attrs,
    }


def _of_trial(rows: list[dict[str, Any]], trial: FrozenTrial) -> list[dict[str, Any]]:
    return [{key: row[key] for key in row if key != "study_uuid"} for row in rows if row["trial"] == trial.number]


def show_study(out: Console, study: StudySnapshot) -> None:
    """Print the study's figures and a line per trial."""
    out.print(Text(study.name, style="bold"), end="")
    out.print(f": {counts_line(study.counts) or 'no trial yet'}; {duration(study.active_seconds)} of work")
    if study.best is not None:
        out.print(f"best {study.spec.study.metric} {number(study.best.value)}, trial {study.best.number}")
    if not study.trials:
        return
    out.print()
    table = plain_table("trial", "state", study.spec.study.metric, "epochs", "params", right=("trial", "epochs"))
    for trial in study.trials:
        planned = study.spec.epochs_for(trial.params)
        epochs = f"{max(trial.intermediate_values, default=0)}/{planned}"
        row = (str(trial.number), _state(trial), number(trial.value), epochs, short_params(trial.params))
        table.add_row(*row, style="green" if trial is study.best else "")
    out.print(table)


def _state(trial: FrozenTrial) -> str:
    reason = trial.user_attrs.get("reason", "")
    return f"{STATE_WORDS[trial.state]}" + (f" ({reason})" if reason in ("diverged", "target", "early_stopping") else "")


def show_trial(out: Console, study: StudySnapshot, index: int) -> None:
    """Print one trial: how it ended, its parameters, its attempts, its curve."""
    trial = study.trials[index]
    out.print(Text(f"{study.name}, trial {trial.number}: {_state(trial)}", style="bold"))
    if trial.value is not None:
        out.print(f"{study.spec.study.metric} {number(trial.value)}, epoch {trial.user_attrs.get('kept_epoch', '-')}")
    _show_params(out, trial)
    for row in _of_trial(study.attempts, trial):
        where = f"{row['worker']} on {row['device']}, {row['threads']} threads, seed {row['seed']}"
        out.print(f"attempt {row['attempt']}: {where}: {row['ending'] or 'running'} {row['reason'] or ''}".rstrip())
    rows = _of_trial(study.epochs, trial)
    if rows:
        out.print()
        metrics = list(rows[0]["metrics"])
        table = plain_table("epoch", *metrics, "rate", "seconds", right=("epoch", *metrics, "rate", "seconds"))
        for row in rows:
            values = [number(row["metrics"].get(metric)) for metric in metrics]
            rate = "-" if row["learning_rate"] is None else f"{row['learning_rate']:.3g}"
            table.add_row(str(row["epoch"]), *values, rate, f"{row['train_seconds']:.2f}")
        out.print(table)
    if "error" in trial.user_attrs:
        out.print()
        out.print(trial.user_attrs["error"], markup=False)


def show_best(out: Console, study: StudySnapshot, best: FrozenTrial) -> None:
    """Print the winner's value, parameters and whole recipe."""
    out.print(Text(f"{study.spec.study.metric} {number(best.value)}, trial {best.number}", style="bold green"))
    _show_params(out, best)
    out.print()
    out.print(Text("The whole recipe", style="bold"))
    for key, value in study.spec.recipe_for(best.params).table().items():
        text = ", ".join(f"{name} = {setting(item)}" for name, item in value.items()) if isinstance(value, dict) else value
        out.print(f"  {key} = {{ {text} }}" if isinstance(value, dict) else f"  {key} = {text}", markup=False)


def _show_params(out: Console, trial: FrozenTrial) -> None:
    width = max((len(path) for path in trial.params), default=0)
    for path, value in trial.params.items():
        out.print(f"  {path:<{width}}  {setting(value)}", markup=False)
