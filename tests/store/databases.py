"""Databases, specs and stock Optuna, as the tests of the store and of what stands on it need them."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import FloatDistribution
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from tunefast.spec.study import StudySpec
from tunefast.store import studies
from tunefast.store.database import Database
from tunefast.store.engine import file_url
from tunefast.store.trials import MirroredStorage

STUDY = "study"
OPTUNA_TABLES = (
    "studies",
    "study_directions",
    "study_user_attributes",
    "study_system_attributes",
    "trials",
    "trial_params",
    "trial_values",
    "trial_intermediate_values",
    "trial_user_attributes",
    "trial_system_attributes",
    "trial_heartbeats",
)
OUR_TABLES = ("tunefast_studies", "tunefast_attempts", "tunefast_epochs", "tunefast_checkpoints")


@cache
def _without_studies() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "template.db"
        database = Database(path)
        studies.prepare(database)
        database.close()
        return path.read_bytes()


def prepared(path: Path) -> Database:
    """A database at `path`, open for writing, with all tables and no study."""
    path.write_bytes(_without_studies())
    return Database(path)


def study_spec(
    name: str = STUDY,
    *,
    metric: str | list[str] = "score",
    space: Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
    budget: Mapping[str, Any] | None = None,
    **study: Any,
) -> StudySpec:
    """A spec of a study of an objective with 10 epochs, drawn at random and never pruned unless `study` says so."""
    settings = {"sampler": {"name": "random"}, "pruner": {"name": "none"}, **study}
    return StudySpec.model_validate(
        {
            "study": {"name": name, "metric": metric, **settings},
            "budget": {"trials": 10} if budget is None else budget,
            "recipe": {"objective": "nobody:calls_it", "epochs": 10, **(recipe or {})},
            "space": {"params.x": {"low": 0.0, "high": 1.0}} if space is None else space,
        }
    )


def uuid_of(database: Database, name: str = STUDY) -> str:
    """Our uuid of a study."""
    with database.transaction() as connection:
        return studies.find(connection, name, database.path).uuid


def mirrored(database: Database, name: str = STUDY) -> MirroredStorage:
    """A live copy of a study that exists."""
    return MirroredStorage(database, name, uuid_of(database, name))


@contextmanager
def stock(path: Path) -> Iterator[RDBStorage]:
    """The database as somebody else's Optuna opens it, without the slow check of its schema."""
    storage = RDBStorage(file_url(path).render_as_string(), skip_compatibility_check=True)
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


@contextmanager
def stock_study(path: Path, name: str = STUDY) -> Iterator[optuna.Study]:
    """A study as somebody else's Optuna opens it."""
    with stock(path) as storage:
        yield optuna.load_study(study_name=name, storage=storage)


def stock_trials(path: Path, name: str = STUDY) -> list[FrozenTrial]:
    """All trials of a study, read by stock Optuna."""
    with stock_study(path, name) as study:
        return study.trials


def rows(path: Path, *tables: str) -> dict[str, list[tuple[Any, ...]]]:
    """What stands in the tables, by table."""
    with closing(sqlite3.connect(path)) as connection:
        return {table: sorted(connection.execute(f"SELECT * FROM {table}")) for table in tables}  # noqa: S608  our names


def execute(path: Path, *statements: str) -> None:
    """Run statements from outside, in one transaction."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def plain(trial: FrozenTrial, *, moments: bool = True) -> dict[str, Any]:
    """All of a trial, in a form in which NaN equals NaN."""
    kept = {
        "number": trial.number,
        "id": trial._trial_id,
        "state": trial.state,
        "values": trial.values,
        "params": trial.params,
        "distributions": trial.distributions,
        "reports": {step: repr(value) for step, value in trial.intermediate_values.items()},
        "user": trial.user_attrs,
        "system": trial.system_attrs,
    }
    return kept | ({"start": trial.datetime_start, "complete": trial.datetime_complete} if moments else {})


def write_everything(storage: MirroredStorage, trial_id: int, *, attribute: str = "seen") -> None:
    """Set one thing of every kind on a trial, and end it."""
    storage.set_trial_param(trial_id, "float", 0.5, FloatDistribution(-1.5, 2.5))
    storage.set_trial_intermediate_value(trial_id, 1, 0.25)
    storage.set_trial_user_attr(trial_id, "user", attribute)
    storage.set_trial_system_attr(trial_id, "system", attribute)
    storage.set_trial_state_values(trial_id, TrialState.COMPLETE, [0.75])
