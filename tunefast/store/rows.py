"""Optuna's rows: how Optuna lays out its database.

Everything private to Optuna that tunefast uses stands here, in `tunefast.store.trials`, in `tunefast.store.view` and in
`tunefast.store.reading`: the ORM tables of ``optuna.storages._rdb.models``, the counters and lists of
`InMemoryStorage`, the sorting of several objectives, the summary of a study, and the system attribute of metric names.
`tests/store` reads back with stock Optuna what is written here, so a release that changes any of it fails there.
"""

from __future__ import annotations

import functools
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.storages._rdb import models
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.engine import Connection

from tunefast.store.prepared import Prepared
from tunefast.store.tables import UUID_ATTRIBUTE

STUDIES: sa.Table = models.StudyModel.__table__
DIRECTIONS: sa.Table = models.StudyDirectionModel.__table__
STUDY_ATTRS: sa.Table = models.StudyUserAttributeModel.__table__
STUDY_SYSTEM_ATTRS: sa.Table = models.StudySystemAttributeModel.__table__
TRIALS: sa.Table = models.TrialModel.__table__
PARAMS: sa.Table = models.TrialParamModel.__table__
VALUES: sa.Table = models.TrialValueModel.__table__
REPORTS: sa.Table = models.TrialIntermediateValueModel.__table__
ATTRS: sa.Table = models.TrialUserAttributeModel.__table__
SYSTEM_ATTRS: sa.Table = models.TrialSystemAttributeModel.__table__
HEARTBEATS: sa.Table = models.TrialHeartbeatModel.__table__

TRIAL_TABLES = (PARAMS, VALUES, REPORTS, ATTRS, SYSTEM_ATTRS)
LIVING = (
    sa.select(TRIALS.c.trial_id)
    .join(STUDY_ATTRS, STUDY_ATTRS.c.study_id == TRIALS.c.study_id)
    .where(STUDY_ATTRS.c.value_json == sa.bindparam("uuid"))
    .where(TRIALS.c.state == TrialState.RUNNING, TRIALS.c.trial_id.in_(sa.bindparam("ids", expanding=True)))
)
"""Those of some trials that still run, under the study with this uuid."""
NEW_TRIAL = Prepared(sa.insert(TRIALS), ("number", "study_id", "state", "datetime_start"))
NEW_SYSTEM_ATTR = Prepared(sa.insert(SYSTEM_ATTRS), ("trial_id", "key", "value_json"))
NEW_PARAM = Prepared(sa.insert(PARAMS), ("trial_id", "param_name", "param_value", "distribution_json"))
END_TRIAL = Prepared(
    sa.update(TRIALS).where(TRIALS.c.trial_id == sa.bindparam("ended"), TRIALS.c.state == sa.bindparam("running")),
    ("state", "datetime_complete"),
)
STATE_WORDS = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}
"""Optuna's states in tunefast's words."""
OURS = "tunefast:ours"
"""System attribute of the trials that tunefast trains."""
IMPORTED = "imported"
"""User attribute of the trials that were brought from another study: which trial of which study it was."""
CLONED = "cloned_from"
"""User attribute of a trial that is a variant of another: that one's number."""
CONTINUES = "tunefast:continues"
"""System attribute of a trial that goes on from the checkpoint of another: that one's number."""
SPLITS = "tunefast:splits"
"""User attribute of a trial whose batches were halved for lack of memory: how often."""
AUDITED = "audited"
"""User attribute of a trial that ran on where its study's pruner would have stopped it: after which epoch."""
RETRIES = "tunefast:retry_of"
"""User attribute of a trial that tries a failed one again: that one's number."""
EXTRAPOLATED = "extrapolated_cost"
"""User attribute of a trial that a race stopped: what it would have spent to get to the target."""
CONSTRAINT, VIOLATED = "constraints", 1.0
"""What Optuna's system attributes for constraints begin with; a value above 0 makes a trial infeasible to samplers."""
PICKLED = ("cma:", "sepcma:", "cmawm:")
"""What system attributes begin with that Optuna's CMA-ES would unpickle: never written, and left out when read."""
PART_CHARS = 2045
"""Of a text that optuna-dashboard keeps in several system attributes, in one of them."""
_FIXED_PARAMS = "fixed_params"
METRIC_NAMES = "study:metric_names"


def insert_study(connection: Connection, name: str, uuid: str, objectives: Mapping[str, bool]) -> None:
    """Add an Optuna study, with our uuid as a user attribute and the objectives' names for people who browse.

    `objectives` says of each metric whether it is maximized.
    """
    study_id = new_id(connection.execute(sa.insert(STUDIES).values(study_name=name)))
    for index, maximize in enumerate(objectives.values()):
        direction = StudyDirection.MAXIMIZE if maximize else StudyDirection.MINIMIZE
        connection.execute(sa.insert(DIRECTIONS).values(study_id=study_id, direction=direction, objective=index))
    names = list(objectives)
    for table, key, value in ((STUDY_ATTRS, UUID_ATTRIBUTE, uuid), (STUDY_SYSTEM_ATTRS, METRIC_NAMES, names)):
        connection.execute(sa.insert(table).values(study_id=study_id, key=key, value_json=json.dumps(value)))


def insert_waiting(connection: Connection, name: str, points: Sequence[Mapping[str, Any]]) -> None:
    """Add trials that wait to a study, with these settings, as stock Optuna's ``enqueue_trial`` makes them."""
    study_id = connection.execute(sa.select(STUDIES.c.study_id).where(STUDIES.c.study_name == name)).scalar_one()
    in_study = sa.select(sa.func.count()).where(TRIALS.c.study_id == study_id)
    for number, point in enumerate(points, start=connection.execute(in_study).scalar_one()):
        trial = {"number": number, "study_id": study_id, "state": TrialState.WAITING}
        trial_id = new_id(connection.execute(sa.insert(TRIALS).values(trial)))
        fixed = {"trial_id": trial_id, "key": _FIXED_PARAMS, "value_json": json.dumps(dict(point))}
        connection.execute(sa.insert(SYSTEM_ATTRS).values(fixed))


def study_uuids(connection: Connection) -> dict[str, str | None]:
    """The studies by name, each with our uuid, or None where tunefast did not create it."""
    join = STUDIES.outerjoin(
        STUDY_ATTRS, (STUDY_ATTRS.c.study_id == STUDIES.c.study_id) & (STUDY_ATTRS.c.key == UUID_ATTRIBUTE)
    )
    rows = connection.execute(sa.select(STUDIES.c.study_name, STUDY_ATTRS.c.value_json).select_from(join))
    return {name: json.loads(value) if value is not None else None for name, value in rows}


def read_trials(
    connection: Connection, study_name: str, first: int = 0, among: Collection[int] | None = None
) -> list[FrozenTrial]:
    """The trials of a study from number `first` on, as stock Optuna would read them, in the order of their numbers.

    Only those with the ids `among`, where that is given.
    """
    of_study = sa.select(STUDIES.c.study_id).where(STUDIES.c.study_name == study_name).scalar_subquery()
    chosen = (TRIALS.c.study_id == of_study) & (TRIALS.c.number >= first)
    if among is not None:
        chosen &= TRIALS.c.trial_id.in_(among)
    ids = sa.select(TRIALS.c.trial_id).where(chosen)
    rows: dict[sa.Table, dict[int, list[Any]]] = {}
    for table in TRIAL_TABLES:
        by_trial: dict[int, list[Any]] = defaultdict(list)
        wanted = sa.select(table).where(table.c.trial_id.in_(ids)).order_by(*table.primary_key)
        for row in connection.execute(wanted).all():
            by_trial[row.trial_id].append(row)
        rows[table] = by_trial
    found = connection.execute(sa.select(TRIALS).where(chosen).order_by(TRIALS.c.number)).mappings()
    return [_frozen(trial, {table: rows[table][trial["trial_id"]] for table in TRIAL_TABLES}) for trial in found]


@functools.lru_cache(maxsize=1000)
def _distribution(text: str) -> BaseDistribution:
    """All trials of a study have the same few."""
    return json_to_distribution(text)


def _frozen(trial: Any, rows: dict[sa.Table, list[Any]]) -> FrozenTrial:
    distributions = {row.param_name: _distribution(row.distribution_json) for row in rows[PARAMS]}
    to_value = models.TrialValueModel.stored_repr_to_value
    to_report = models.TrialIntermediateValueModel.stored_repr_to_intermediate_value
    values = [to_value(row.value, row.value_type) for row in sorted(rows[VALUES], key=lambda row: row.objective)]
    return FrozenTrial(
        number=trial["number"],
        trial_id=trial["trial_id"],
        state=trial["state"],
        value=None,
        values=values or None,
        datetime_start=_local(trial["datetime_start"]),
        datetime_complete=_local(trial["datetime_complete"]),
        params={
            row.param_name: distributions[row.param_name].to_external_repr(row.param_value) for row in rows[PARAMS]
        },
        distributions=distributions,
        user_attrs={row.key: json.loads(row.value_json) for row in rows[ATTRS]},
        system_attrs={
            row.key: json.loads(row.value_json) for row in rows[SYSTEM_ATTRS] if not row.key.startswith(PICKLED)
        },
        intermediate_values={
            row.step: to_report(row.intermediate_value, row.intermediate_value_type) for row in rows[REPORTS]
        },
    )


def restate(connection: Connection, study_name: str, distributions: Mapping[str, BaseDistribution]) -> None:
    """Let all trials of a study have these distributions of their settings; values stay as they are."""
    of_study = sa.select(STUDIES.c.study_id).where(STUDIES.c.study_name == study_name).scalar_subquery()
    ids = sa.select(TRIALS.c.trial_id).where(TRIALS.c.study_id == of_study)
    for path, distribution in distributions.items():
        rows = sa.update(PARAMS).where(PARAMS.c.param_name == path, PARAMS.c.trial_id.in_(ids))
        connection.execute(rows.values(distribution_json=distribution_to_json(distribution)))


def study_attribute(connection: Connection, study_name: str, key: str) -> Any:
    """A user attribute of a study; None where it has none of that name."""
    join = STUDIES.join(STUDY_ATTRS, (STUDY_ATTRS.c.study_id == STUDIES.c.study_id) & (STUDY_ATTRS.c.key == key))
    wanted = sa.select(STUDY_ATTRS.c.value_json).select_from(join).where(STUDIES.c.study_name == study_name)
    value = connection.execute(wanted).scalar_one_or_none()
    return None if value is None else json.loads(value)


def set_study_attribute(connection: Connection, study_name: str, key: str, value: Any) -> None:
    """Set a user attribute of a study, in place of what was there."""
    study_id = connection.execute(sa.select(STUDIES.c.study_id).where(STUDIES.c.study_name == study_name)).scalar_one()
    old = (STUDY_ATTRS.c.study_id == study_id) & (STUDY_ATTRS.c.key == key)
    connection.execute(sa.delete(STUDY_ATTRS).where(old))
    connection.execute(sa.insert(STUDY_ATTRS).values(study_id=study_id, key=key, value_json=json.dumps(value)))


def system_attributes(connection: Connection, study_name: str, *prefixes: str) -> dict[str, Any]:
    """The system attributes of a study whose names begin with one of the `prefixes`."""
    join = STUDIES.join(STUDY_SYSTEM_ATTRS, STUDY_SYSTEM_ATTRS.c.study_id == STUDIES.c.study_id)
    wanted = sa.select(STUDY_SYSTEM_ATTRS.c.key, STUDY_SYSTEM_ATTRS.c.value_json).select_from(join)
    rows = connection.execute(wanted.where(STUDIES.c.study_name == study_name))
    return {key: json.loads(value) for key, value in rows if key.startswith(prefixes)}


def replace_system_attributes(
    connection: Connection, study_name: str, attributes: Mapping[str, Any], *prefixes: str
) -> None:
    """Give a study these system attributes, in place of all whose names begin with one of the `prefixes`."""
    study_id = connection.execute(sa.select(STUDIES.c.study_id).where(STUDIES.c.study_name == study_name)).scalar_one()
    old = STUDY_SYSTEM_ATTRS.c.key.in_(system_attributes(connection, study_name, *prefixes))
    connection.execute(sa.delete(STUDY_SYSTEM_ATTRS).where((STUDY_SYSTEM_ATTRS.c.study_id == study_id) & old))
    for key, value in attributes.items():
        row = {"study_id": study_id, "key": key, "value_json": json.dumps(value)}
        connection.execute(sa.insert(STUDY_SYSTEM_ATTRS).values(row))


def parts(prefix: str, text: str) -> dict[str, str]:
    """A long text as system attributes, as optuna-dashboard cuts and numbers them."""
    starts = enumerate(range(0, len(text), PART_CHARS))
    return {f"{prefix}{index}": text[start : start + PART_CHARS] for index, start in starts}


def main_value(trial: FrozenTrial) -> float | None:
    """A trial's value of its study's first objective; None where it has none."""
    return trial.values[0] if trial.values else None


def state_word(trial: FrozenTrial) -> str:
    """How a trial stands, in tunefast's words: to Optuna one that was infeasible has a constraint that it violates."""
    ended = trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
    return "infeasible" if ended and is_infeasible(trial) else STATE_WORDS[trial.state]


def is_infeasible(trial: FrozenTrial) -> bool:
    """Whether a trial violates a constraint that was told of it."""
    return any(value > 0 for value in trial.constraints.values())


def num_in_budget(trials: Iterable[FrozenTrial]) -> int:
    """How many of the trials a budget counts: not those from another study, nor those that are tried again."""
    ours = [trial for trial in trials if IMPORTED not in trial.user_attrs]
    return len(ours) - len(retried(ours))


def retried(trials: Iterable[FrozenTrial]) -> set[int]:
    """The failed trials that others try again."""
    return {trial.user_attrs[RETRIES] for trial in trials if RETRIES in trial.user_attrs}


def settings_of(trial: FrozenTrial) -> dict[str, Any]:
    """A trial's parameters; of one that waits those that it is to have."""
    given: dict[str, Any] = trial.system_attrs.get(_FIXED_PARAMS, {})
    return trial.params or given


def enqueued(params: Mapping[str, Any], source: int, *, continues: bool) -> FrozenTrial:
    """A variant of trial `source` that waits, as stock Optuna's ``enqueue_trial`` makes it.

    `continues` is whether it goes on from that one's checkpoint.
    """
    attributes: dict[str, Any] = {_FIXED_PARAMS: dict(params), **({CONTINUES: source} if continues else {})}
    return create_trial(state=TrialState.WAITING, system_attrs=attributes, user_attrs={CLONED: source})


def retry(trial: FrozenTrial) -> FrozenTrial:
    """A trial that waits, to try a failed one again with the same parameters."""
    fixed = {_FIXED_PARAMS: settings_of(trial)}
    return create_trial(state=TrialState.WAITING, system_attrs=fixed, user_attrs={RETRIES: trial.number})


def param_row(trial_id: int, path: str, value: float, kind: BaseDistribution) -> dict[str, Any]:
    """A parameter as `NEW_PARAM` takes it; `value` is Optuna's internal one."""
    row = {"trial_id": trial_id, "param_name": path, "param_value": value}
    return {**row, "distribution_json": distribution_to_json(kind)}


def new_id(result: Any) -> int:
    """The key of a row that was inserted."""
    return int(result.inserted_primary_key[0])


def _local(moment: datetime | None) -> datetime | None:
    """Optuna's trials carry naive local time."""
    return moment.replace(tzinfo=UTC).astimezone().replace(tzinfo=None) if moment is not None else None


def copied(trial: FrozenTrial, **changes: Any) -> FrozenTrial:
    """What `copy.copy` makes, with changes; that takes as long as all else that there is to do about a report."""
    made = FrozenTrial.__new__(FrozenTrial)
    made.__dict__.update(trial.__dict__)
    for name, value in changes.items():
        setattr(made, name, value)
    return made
