"""A study as trackers of experiments see one: a run a trial, with its curves and its settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from tunefast.export.tables import METRIC, PARAM, VALUE, Row, epoch_table, trial_table
from tunefast.store.snapshot import StudySnapshot


class Run(NamedTuple):
    """What there is of one trial."""

    name: str
    state: str
    """In tunefast's words."""
    reason: str
    started: datetime | None
    ended: datetime | None
    settings: dict[str, float | str]
    values: dict[str, float]
    """Of the objectives, by name."""
    curves: list[tuple[int, float, dict[str, float]]]
    """Of each epoch: its number, when it ended in seconds since 1970, and its metrics, the learning rate with them."""


def runs(study: StudySnapshot) -> list[Run]:
    """A run a trial, in the order of their numbers."""
    by_trial: dict[int, list[Row]] = {}
    for row in epoch_table(study).rows:
        by_trial.setdefault(row["trial"], []).append(row)
    width = len(str(max(len(study.trials) - 1, 0)))
    return [
        Run(
            name=f"trial-{row['trial']:0{width}}",
            state=row["state"],
            reason=row["reason"] or "",
            started=row["started"],
            ended=row["ended"],
            settings={name: _plain(value) for name, value in _chosen(PARAM, row).items()},
            values=_chosen(VALUE, row),
            curves=list(_curves(row, by_trial.get(row["trial"], []))),
        )
        for row in trial_table(study).rows
    ]


def _chosen(prefix: str, row: Row) -> dict[str, Any]:
    """What a row has under a prefix, without it."""
    return {
        name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix) and value is not None
    }


def _plain(value: Any) -> float | str:
    return value if isinstance(value, bool | int | float) else str(value)


def _curves(trial: Row, epochs: Sequence[Row]) -> Iterator[tuple[int, float, dict[str, float]]]:
    """Epochs are dated from the trial's start on, by the seconds that it spent."""
    moment = trial["started"].timestamp() if trial["started"] is not None else 0.0
    for row in epochs:
        moment += row["train_seconds"] + row["eval_seconds"]
        rate = {} if row["learning_rate"] is None else {"learning_rate": row["learning_rate"]}
        yield row["epoch"], moment, {**_chosen(METRIC, row), **rate}
