"""A study as two tables: a row a trial, and a row an epoch. The same columns in every format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from optuna.trial import FrozenTrial

from tunefast.store.rows import IMPORTED, settings_of
from tunefast.store.snapshot import StudySnapshot

Row = dict[str, Any]
TRIAL_FIRST: dict[str, type] = {"trial": int, "state": str, "reason": str}
TRIAL_LAST: dict[str, type] = {
    "attempts": int,
    "epochs": int,
    "kept_epoch": int,
    "train_seconds": float,
    "eval_seconds": float,
    "workers": str,
    "device": str,
    "threads": int,
    "seed": int,
    "started": datetime,
    "ended": datetime,
    "imported": str,
    "error": str,
}
EPOCH_FIRST: dict[str, type] = {"trial": int, "attempt": int, "epoch": int}
EPOCH_LAST: dict[str, type] = {
    "learning_rate": float,
    "train_seconds": float,
    "eval_seconds": float,
    "steps": int,
    "samples": int,
    "peak_memory_bytes": int,
}
VALUE, PARAM, METRIC, DETAIL = "value.", "param.", "metric.", "detail."
"""What stands before names that a study chooses, so that none is mistaken for another column."""

LARGEST = 2**63


class Table(NamedTuple):
    """Rows with equal columns; None where a cell is empty."""

    columns: dict[str, type]
    """By name; all values of a column are of its type or None."""
    rows: list[Row]


def trial_table(study: StudySnapshot) -> Table:
    """A row a trial, in the order of their numbers."""
    attempts, epochs = _by_trial(study.attempts), _by_trial(study.epochs)
    rows = [
        {
            "trial": trial.number,
            "state": study.states[trial.number],
            "reason": trial.user_attrs.get("reason") or None,
            **_prefixed(VALUE, dict(zip(study.spec.study.metrics, trial.values or (), strict=False))),
            **_prefixed(PARAM, settings_of(trial)),
            **_spent(epochs.get(trial.number, [])),
            "epochs": study.epochs_reached[trial.number],
            "kept_epoch": trial.user_attrs.get("kept_epoch"),
            **_trained(attempts.get(trial.number, [])),
            **_times(trial, attempts.get(trial.number, [])),
            "imported": trial.user_attrs.get(IMPORTED),
            "error": _last_line(trial.user_attrs.get("error")),
        }
        for trial in study.trials
    ]
    chosen = [VALUE + metric for metric in study.spec.study.metrics]
    chosen += sorted({PARAM + path for trial in study.trials for path in settings_of(trial)} | _searched(study))
    return _table(TRIAL_FIRST, chosen, TRIAL_LAST, rows)


def epoch_table(study: StudySnapshot) -> Table:
    """A row an epoch report, trial by trial."""
    rows = [
        {
            **{name: row[name] for name in (*EPOCH_FIRST, *EPOCH_LAST)},
            **_prefixed(METRIC, row["metrics"]),
            **_prefixed(DETAIL, row["details"] or {}),
        }
        for row in study.epochs
    ]
    named: dict[str, None] = {}
    for prefix, column in ((METRIC, "metrics"), (DETAIL, "details")):
        named.update(dict.fromkeys(prefix + name for row in study.epochs for name in row[column] or {}))
    return _table(EPOCH_FIRST, list(named), EPOCH_LAST, rows)


def _table(first: Mapping[str, type], chosen: Sequence[str], last: Mapping[str, type], rows: list[Row]) -> Table:
    """Rows with every column; a column of more than one type, as of a choice of `1` and `"none"`, becomes text."""
    kinds = {name: _kind(name, rows) for name in chosen}
    columns = {**first, **kinds, **last}
    return Table(columns, [{name: _as(kind, row.get(name)) for name, kind in columns.items()} for row in rows])


def _kind(name: str, rows: Iterable[Row]) -> type:
    """The type of a column that a study chose; whole numbers that need more than 64 bits become text."""
    values = [value for row in rows if (value := row.get(name)) is not None]
    kinds = {type(value) for value in values}
    if not name.startswith(PARAM) or kinds == {int, float}:
        return float
    if kinds == {int} and any(abs(value) >= LARGEST for value in values):
        return str
    return kinds.pop() if len(kinds) == 1 else str


def _as(kind: type, value: Any) -> Any:
    if value is None or isinstance(value, datetime):
        return value
    return _clean(str(value)) if kind is str else kind(value)


def _clean(text: str) -> str:
    """Text that every format can hold: what is no character of Unicode is spelled out."""
    return text.encode("utf-8", "backslashreplace").decode()


def _by_trial(rows: Iterable[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row["trial"], []).append(row)
    return found


def _searched(study: StudySnapshot) -> set[str]:
    return {PARAM + path for path in study.spec.space}


def _prefixed(prefix: str, named: Mapping[str, Any]) -> Row:
    return {prefix + name: value for name, value in named.items()}


def _spent(epochs: Sequence[Row]) -> Row:
    return {name: sum(row[name] for row in epochs) for name in ("train_seconds", "eval_seconds")}


def _trained(attempts: Sequence[Row]) -> Row:
    """Who trained a trial: all workers, and where the last attempt was."""
    last = attempts[-1] if attempts else {}
    return {
        "attempts": len(attempts),
        "workers": ", ".join(dict.fromkeys(row["worker"] for row in attempts)) or None,
        **{name: last.get(name) for name in ("device", "threads", "seed")},
    }


def _times(trial: FrozenTrial, attempts: Sequence[Row]) -> Row:
    """When its first attempt began and when it ended, in UTC; of a trial from elsewhere what Optuna says."""
    started, ended = trial.datetime_start, trial.datetime_complete
    return {
        "started": attempts[0]["started_at"].replace(tzinfo=UTC) if attempts else _utc(started),
        "ended": _utc(ended) if trial.state.is_finished() else None,
    }


def _utc(local: datetime | None) -> datetime | None:
    """Optuna's trials carry naive local time."""
    return None if local is None else local.astimezone(UTC)


def _last_line(error: str | None) -> str | None:
    lines = [line for line in (error or "").splitlines() if line.strip()]
    return lines[-1].strip() if lines else None
