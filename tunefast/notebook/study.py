"""Study: a study in a database as an object, read anew whenever it is asked something."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from html import escape
from typing import Any

from tunefast.errors import TunefastError, UserError, nearest
from tunefast.export.tables import EPOCH_FIRST, METRIC, PARAM, VALUE, Table, epoch_table, trial_table
from tunefast.report.phrases import number, short_params
from tunefast.run.looking import look
from tunefast.search.confirmed import Confirmation, Repeated, best_trial, confirmation_of
from tunefast.store.engine import database_path
from tunefast.store.rows import settings_of
from tunefast.store.snapshot import StudySnapshot


@dataclass(frozen=True, repr=False)
class Best:
    """The winner of a study: the confirmed trial where there is one, else the best of the search."""

    trial: int
    """Its number."""
    value: float
    """Of the first objective, in the search."""
    values: dict[str, float]
    """Of each objective."""
    params: dict[str, Any]
    """The settings that were searched, by path."""
    recipe: dict[str, Any]
    """The whole recipe, without what it leaves at the defaults: ready for a spec."""
    confirmed: Repeated | None
    """Its values on new seeds, with mean and interval; None where the study was not confirmed."""

    def __repr__(self) -> str:
        values = ", ".join(f"{metric} {number(value)}" for metric, value in self.values.items())
        repeated = self.confirmed
        again = "" if repeated is None else f", mean {number(repeated.mean)} on {len(repeated.values)} new seeds"
        return f"<trial {self.trial}: {values}{again}; {short_params(self.params) or 'nothing was searched'}>"


class Study:
    """A study in the database `storage`, as ``tunefast.open("digits")`` finds it.

    Every attribute reads the database, so it is as of now, while others work on the study too.
    """

    def __init__(self, name: str, storage: str) -> None:
        self.name = name
        self.storage = storage
        self._path = database_path(storage)

    @property
    def snapshot(self) -> StudySnapshot:
        """All of it at this moment: spec, Optuna's trials, attempts, epochs. Raises `UserError` where it is gone."""
        return look(self._path, self.name)

    @property
    def best(self) -> Best:
        """The winner, as ``tunefast study best`` names it. Raises `UserError` where no trial is complete."""
        study = self.snapshot
        return _best(study, confirmation_of(self._path, study))

    @property
    def trials(self) -> Any:
        """A row a trial, as a pandas data frame with the columns of ``tunefast study export``.

        Values and settings come first, and are what its text has. Raises `UserError` where pandas is not installed.
        """
        return _frame(trial_table(self.snapshot), ("trial", "state"), (VALUE, PARAM))

    @property
    def epochs(self) -> Any:
        """A row an epoch report, as a pandas data frame, as ``tunefast study export --epochs`` has it.

        Its metrics come first, and are what its text has. Raises `UserError` where pandas is not installed.
        """
        return _frame(epoch_table(self.snapshot), tuple(EPOCH_FIRST), (METRIC,))

    def figure(self, name: str) -> Any:
        """A figure of a report, such as ``study.figure("curves")``, as a Plotly figure that shows itself.

        Raises `UserError` where there is no figure of that name, listing those that there are, and where the study has
        no numbers for it yet.
        """
        import plotly.graph_objects as go

        from tunefast.report.registry import FIGURES
        from tunefast.report.standalone import dressed

        if name not in FIGURES:
            hint, known = nearest(name, FIGURES), ", ".join(sorted(FIGURES))
            listed = "" if known in hint else f" There are: {known}"
            raise UserError(message=f"there is no figure {name!r}.{hint}{listed}")
        figure, study = FIGURES[name], self.snapshot
        numbers = figure.numbers(study) if figure.applies(study) else None
        if numbers is None:
            raise UserError(message=f"study {self.name!r} has nothing for figure {name!r} yet: it needs {figure.needs}")
        return go.Figure(dressed(figure.draw(numbers), f"{self.name}: {figure.title}"))

    def __repr__(self) -> str:
        rows = self._shown()
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {text}" for name, text in rows)

    def _repr_html_(self) -> str:
        rows = [f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in self._shown()]
        return f"<table>{''.join(rows)}</table>"

    def _shown(self) -> list[tuple[str, str]]:
        """What people see of it, each with a name. Whoever looks at an object gets an answer, and no error."""
        try:
            study = self.snapshot
            return _facts(study, confirmation_of(self._path, study))
        except TunefastError as error:
            return [("study", self.name), ("error", str(error))]


def _best(study: StudySnapshot, confirmation: Confirmation | None) -> Best:
    trial = best_trial(study, confirmation)
    return Best(
        trial=trial.number,
        value=trial.values[0],
        values=dict(zip(study.spec.study.metrics, trial.values, strict=True)),
        params=settings_of(trial),
        recipe=study.recipe_of(trial),
        confirmed=confirmation.winner if confirmation is not None else None,
    )


def _facts(study: StudySnapshot, confirmation: Confirmation | None) -> list[tuple[str, str]]:
    counts = ", ".join(f"{count} {state}" for state, count in sorted(study.counts.items()))
    facts = [("study", study.name), ("trials", f"{'paused: ' * study.is_paused}{counts or 'none yet'}")]
    if study.best is None or study.confirms is not None:
        return facts
    best = _best(study, confirmation)
    facts += [(metric, f"{value:.4g}") for metric, value in best.values.items()]
    facts.append(("trial", str(best.trial)))
    if best.confirmed is not None and best.confirmed.mean is not None:
        span = best.confirmed.interval
        interval = "" if span is None else f", 95 % interval {span.low:.4g} to {span.high:.4g}"
        facts.append(("confirmed", f"mean {best.confirmed.mean:.4g} of {len(best.confirmed.values)} seeds{interval}"))
    return facts + [
        (path, f"{value:.3g}" if isinstance(value, float) else str(value)) for path, value in best.params.items()
    ]


def _frame(table: Table, first: tuple[str, ...], prefixes: tuple[str, ...]) -> Any:
    """A table as a pandas data frame; whole numbers stay whole where cells are empty.

    Its text has the columns `first`, and those that begin with one of the `prefixes`.
    """
    try:
        importlib.import_module("pandas")
    except ImportError as error:
        raise UserError(message="a data frame needs pandas: pip install 'tunefast[pandas]'") from error
    from tunefast.notebook.frame import framed

    shown = [*first, *(name for name in table.columns if name.startswith(prefixes))]
    frame = framed(table.rows, list(dict.fromkeys((*shown, *table.columns))), len(shown))
    whole = {name: "Int64" for name, kind in table.columns.items() if kind is int}
    return frame.astype({**whole, **{name: "float64" for name, kind in table.columns.items() if kind is float}})
