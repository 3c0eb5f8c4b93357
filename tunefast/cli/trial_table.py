"""A study's trials as a table, a line each."""

from __future__ import annotations

from collections.abc import Mapping

from optuna.trial import FrozenTrial
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from tunefast.cli.output import number, plain_table, short_params
from tunefast.search.pruning.promoting import Place
from tunefast.search.rungs import places, where_in_words
from tunefast.spec.progress import PRUNER
from tunefast.store.rows import IMPORTED, settings_of
from tunefast.store.snapshot import StudySnapshot

WRAPPED = ("why", "params")
"""Columns that may take several lines, between words."""
UNLIMITED = 10_000


def show_trials(out: Console, study: StudySnapshot) -> None:
    """Print a line per trial; of several objectives without settings where these leave no room for the longest one."""
    table = _table(study, with_params=True)
    needed = Measurement.get(out, out.options.update_width(UNLIMITED), table).minimum
    if needed <= out.width or not study.spec.study.has_several:  # one leaves room enough to break what is longer
        out.print(table)
        return
    out.print(_table(study, with_params=False))
    out.print(f"{out.width} columns have no room for settings, {needed} would; --trial N shows those of one trial")


def _table(study: StudySnapshot, *, with_params: bool) -> Table:
    metrics = study.spec.study.metrics
    names = ("trial", "state", *metrics, "epochs", "why", *(["params"] if with_params else []))
    table = plain_table(*names, right=("trial", *metrics, "epochs"))
    for column, name in zip(table.columns, names, strict=True):
        column.no_wrap = name not in WRAPPED
    waiting = places(study)
    shown = study.front if study.spec.study.has_several else [study.best]
    shown = shown if study.confirms is None else []
    for trial in study.trials:
        planned = f"/{study.spec.epochs_for(trial.params)}" if study.spec.knows_epochs else ""
        epochs = f"{study.epochs_reached[trial.number]}{planned}"
        values = [number(value) for value in trial.values or [None] * len(metrics)]
        row = (str(trial.number), study.states[trial.number], *values, epochs, _why(study, trial, waiting))
        params = [short_params(settings_of(trial))] if with_params else []
        table.add_row(*row, *params, style="green" if trial in shown else "")
    return table


def _why(study: StudySnapshot, trial: FrozenTrial, waiting: Mapping[int, Place]) -> str:
    """Why a trial ended before its last epoch, or waits, in a word or two; or that it is from another study."""
    if IMPORTED in trial.user_attrs:
        return "imported"
    if trial.number in waiting:
        return where_in_words(waiting[trial.number])
    if trial.number in study.begun_waiting:
        return "for a worker"
    reason = str(trial.user_attrs.get("reason", ""))
    words = {"early_stopping": "patience", PRUNER: study.spec.study.pruner.name}
    return words.get(reason, reason.partition(":")[0])
