"""Snapshots of studies that nobody ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from tests.store.databases import study_spec
from tunefast.spec.study import StudySpec
from tunefast.store.snapshot import StudySnapshot

START = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - as the database has it
COMPLETE, PRUNED, FAILED, RUNNING = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING
KINDS: dict[str, BaseDistribution] = {
    "x": FloatDistribution(0.0, 1.0),
    "params.x": FloatDistribution(0.0, 1.0),
    "lr": FloatDistribution(1e-5, 1.0, log=True),
    "depth": IntDistribution(1, 8),
    "model": CategoricalDistribution(["mlp", "<b>cnn</b>"]),
    "batch_size": CategoricalDistribution([32, 64]),
}


def trial(
    value: float | Sequence[float] | None = None,
    state: TrialState = COMPLETE,
    params: Mapping[str, Any] | None = None,
    seconds: float = 10.0,
    **attributes: Any,
) -> FrozenTrial:
    """A trial that ran for so many seconds; those after it in its study began when it had ended."""
    values = value if value is None or isinstance(value, Sequence) else [value]
    made = create_trial(
        state=state,
        values=values,
        params=dict(params or {}),
        distributions={name: KINDS[name] for name in params or {}},
        user_attrs=attributes,
    )
    made.datetime_start = START
    made.datetime_complete = START + timedelta(seconds=seconds) if state.is_finished() else None
    return made


def epoch(of: int, number: int, value: float, *, seconds: float = 1.0, **details: float) -> dict[str, Any]:
    """A row of the epochs' table."""
    return {
        "trial": of,
        "epoch": number,
        "attempt": 1,
        "metrics": {"score": value},
        "learning_rate": None,
        "train_seconds": seconds,
        "eval_seconds": 0.0,
        "steps": 10,
        "samples": 100,
        "peak_memory_bytes": None,
        "details": details,
    }


def attempt(
    of: int, worker: str, start: float, end: float | None, ending: str | None = "complete", number: int = 1
) -> dict[str, Any]:
    """A row of the attempts' table; `start` and `end` in seconds."""
    return {
        "trial": of,
        "attempt": number,
        "worker": worker,
        "device": "cpu",
        "started_at": START + timedelta(seconds=start),
        "ended_at": None if end is None else START + timedelta(seconds=end),
        "ending": None if end is None else ending,
        "reason": None,
    }


def study(
    *trials: FrozenTrial,
    epochs: Sequence[dict[str, Any]] = (),
    attempts: Sequence[dict[str, Any]] = (),
    spec: StudySpec | None = None,
    active_seconds: float = 60.0,
    confirms: str | None = None,
    name: str = "study",
) -> StudySnapshot:
    """A study of these trials, numbered in this order; its metric is ``score`` and goes up."""
    shift = timedelta()
    for number, each in enumerate(trials):
        each.number = number
        length = (each.datetime_complete or START) - START
        each.datetime_start = START + shift
        shift += length
        each.datetime_complete = START + shift if each.datetime_complete is not None else None
    return StudySnapshot(
        name=name,
        uuid="uuid",
        spec=spec or study_spec(direction="maximize"),
        trials=list(trials),
        active_seconds=active_seconds,
        attempts=list(attempts),
        epochs=list(epochs),
        confirms=confirms,
    )
