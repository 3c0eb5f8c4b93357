"""Studies that have many trials already."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.distributions import BaseDistribution, FloatDistribution, distribution_to_json
from optuna.trial import FrozenTrial, TrialState

from benchmarks.noop import NUM_PARAMS, NUM_REPORTS, curve
from tunefast.store.engine import file_url
from tunefast.store.rows import PARAMS, REPORTS, STUDIES, TRIALS, VALUES

UNIT = FloatDistribution(0.0, 1.0)


def drawn(number: int, prefix: str) -> tuple[dict[str, float], float]:
    """The settings of an earlier trial, and its value: the nearer they are to the middle the better."""
    rng = random.Random(number)  # noqa: S311  no secret
    params = {f"{prefix}x{index}": rng.random() for index in range(NUM_PARAMS)}
    return params, 1 - sum((value - 0.5) ** 2 for value in params.values())


def fill(path: Path, study: str, trials: int) -> None:
    """Write complete trials into a study of the SQLite file at `path`, as Optuna would."""
    engine = sa.create_engine(file_url(path))
    now, kind = datetime.now(UTC).replace(tzinfo=None), distribution_to_json(UNIT)
    rows: dict[Any, list[dict[str, Any]]] = {TRIALS: [], PARAMS: [], VALUES: [], REPORTS: []}
    with engine.begin() as connection:
        study_id = connection.execute(sa.select(STUDIES.c.study_id).where(STUDIES.c.study_name == study)).scalar_one()
        first = connection.execute(sa.select(sa.func.coalesce(sa.func.max(TRIALS.c.trial_id), 0))).scalar_one() + 1
        for number in range(trials):
            key = {"trial_id": first + number}
            params, value = drawn(number, "params.")
            ended = {"state": TrialState.COMPLETE, "datetime_start": now, "datetime_complete": now}
            rows[TRIALS].append({**key, "number": number, "study_id": study_id, **ended})
            rows[PARAMS] += [
                {**key, "param_name": name, "param_value": drawn_, "distribution_json": kind}
                for name, drawn_ in params.items()
            ]
            rows[VALUES].append({**key, "objective": 0, "value": value, "value_type": "FINITE"})
            rows[REPORTS] += [
                {**key, "step": step, "intermediate_value": curve(step), "intermediate_value_type": "FINITE"}
                for step in range(1, NUM_REPORTS + 1)
            ]
        for table, of_table in rows.items():
            if of_table:
                connection.execute(sa.insert(table), of_table)
    engine.dispose()


def earlier_trials(trials: int) -> list[FrozenTrial]:
    """The same trials, for storages that are no SQLite file."""
    found = []
    for number in range(trials):
        params, value = drawn(number, "params.")
        steps = {step: curve(step) for step in range(1, NUM_REPORTS + 1)}
        kinds: dict[str, BaseDistribution] = dict.fromkeys(params, UNIT)
        found.append(
            optuna.trial.create_trial(params=params, distributions=kinds, value=value, intermediate_values=steps)
        )
    return found
