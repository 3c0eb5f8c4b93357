"""ReadingStorage: Optuna's storage over a whole database, for programs that browse it."""

# ruff: noqa: SLF001

from __future__ import annotations

import copy
import json
import threading
from collections import defaultdict
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import Connection

from tunefast.errors import StorageError
from tunefast.store.engine import checked, collecting_later, reading_engine
from tunefast.store.prepared import driver_of
from tunefast.store.rows import DIRECTIONS, STUDIES, STUDY_ATTRS, STUDY_SYSTEM_ATTRS, TRIALS, read_trials
from tunefast.store.schema import reading
from tunefast.store.studies import EDITS_ATTRIBUTE


class _Loaded(NamedTuple):
    """The trials of a study as they were at one version of the database."""

    version: int
    edits: Any
    marks: dict[int, tuple[Any, ...]]
    """Of each trial's id, what is another where the trial is."""
    trials: list[FrozenTrial]


class ReadingStorage(BaseStorage):
    """All studies of a SQLite file, which it opens for reading only.

    Trials that ended stay in memory, since Optuna lets nobody change them: what is asked again costs one look at the
    file's version, and, where that is another, the rows of the trials that are new or were not over. What would change
    something goes to `writer`; without one it raises `StorageError`, as does a file that is no database.
    """

    def __init__(self, path: Path, writer: BaseStorage | None = None) -> None:
        self._path = path
        self._writer = writer
        self._lock = threading.Lock()
        with reading(path):
            self._engine = reading_engine(path)
        self._connection = self._engine.connect()
        self._studies_version: int | None = None
        self._studies: dict[int, FrozenStudy] = {}
        self._loaded: dict[int, _Loaded] = {}

    def close(self) -> None:
        """Close the connection and the file behind it."""
        with self._lock:
            self._connection.close()
            self._engine.dispose()

    @property
    def version(self) -> int:
        """A number that is another one as soon as anybody has committed anything."""
        with self._lock:
            return self._fresh_studies()[0]

    def get_all_studies(self) -> list[FrozenStudy]:
        """Every study, in the order they were made in."""
        with self._lock:
            return list(self._fresh_studies()[1].values())

    def get_study_id_from_name(self, study_name: str) -> int:
        """The id of a study; raises `KeyError` where there is none of that name."""
        found = [study._study_id for study in self.get_all_studies() if study.study_name == study_name]
        if not found:
            raise KeyError(f"there is no study {study_name!r}")
        return found[0]

    def get_study_name_from_id(self, study_id: int) -> str:
        """The name of a study; raises `KeyError` where there is none with that id."""
        return self._study(study_id).study_name

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """What a study's objectives are to become."""
        return self._study(study_id).directions

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """A study's attributes that people see."""
        return copy.deepcopy(self._study(study_id).user_attrs)

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """A study's attributes that programs keep their notes in."""
        return copy.deepcopy(self._study(study_id).system_attrs)

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """A trial as it is now; raises `KeyError` where there is none with that id."""
        name = sa.select(STUDIES.c.study_name).join(TRIALS, TRIALS.c.study_id == STUDIES.c.study_id)
        with self._lock, checked(self._path), self._connection.begin():
            study = self._connection.execute(name.where(TRIALS.c.trial_id == trial_id)).scalar()
            if study is None:
                raise KeyError(f"there is no trial with the id {trial_id}")
            return read_trials(self._connection, study, among=[trial_id])[0]

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """The trials of a study as they are now, in the order of their numbers; copies only with `deepcopy`."""
        with self._lock:
            trials = self._fresh_trials(study_id)
        chosen = [trial for trial in trials if states is None or trial.state in states]
        return copy.deepcopy(chosen) if deepcopy else chosen

    def _study(self, study_id: int) -> FrozenStudy:
        with self._lock:
            return self._fresh_study(study_id)[1]

    def _fresh_study(self, study_id: int) -> tuple[int, FrozenStudy]:
        version, studies = self._fresh_studies()
        if study_id not in studies:
            raise KeyError(f"there is no study with the id {study_id}")
        return version, studies[study_id]

    def _fresh_studies(self) -> tuple[int, dict[int, FrozenStudy]]:
        with checked(self._path):
            version = int(driver_of(self._connection).execute("PRAGMA data_version").fetchone()[0])
            if version != self._studies_version:
                with self._connection.begin():
                    self._studies = _read_studies(self._connection)
                self._studies_version = version
        return version, self._studies

    def _fresh_trials(self, study_id: int) -> list[FrozenTrial]:
        version, study = self._fresh_study(study_id)
        before = self._loaded.get(study_id)
        if before is None or before.version != version:
            with checked(self._path), collecting_later(), self._connection.begin():
                self._loaded[study_id] = _reload(self._connection, study, version, before)
        return self._loaded[study_id].trials

    def _writing(self) -> BaseStorage:
        if self._writer is None:
            raise StorageError(storage=self._path, problem="is open for reading only here; nothing was changed")
        return self._writer

    def remove_session(self) -> None:
        """Let go of what the writer holds for this thread."""
        if self._writer is not None:
            self._writer.remove_session()

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        """Goes to the writer."""
        return self._writing().create_new_study(directions, study_name)

    def delete_study(self, study_id: int) -> None:
        """Goes to the writer."""
        self._writing().delete_study(study_id)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Goes to the writer."""
        self._writing().set_study_user_attr(study_id, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Goes to the writer."""
        self._writing().set_study_system_attr(study_id, key, value)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Goes to the writer."""
        return self._writing().create_new_trial(study_id, template_trial)

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """Goes to the writer."""
        self._writing().set_trial_param(trial_id, param_name, param_value_internal, distribution)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Goes to the writer."""
        return self._writing().set_trial_state_values(trial_id, state, values)

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """Goes to the writer."""
        self._writing().set_trial_intermediate_value(trial_id, step, intermediate_value)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Goes to the writer."""
        self._writing().set_trial_user_attr(trial_id, key, value)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Goes to the writer."""
        self._writing().set_trial_system_attr(trial_id, key, value)


def _read_studies(connection: Connection) -> dict[int, FrozenStudy]:
    directions: dict[int, list[StudyDirection]] = defaultdict(list)
    for row in connection.execute(sa.select(DIRECTIONS).order_by(DIRECTIONS.c.objective)):
        directions[row.study_id].append(row.direction)
    attributes: dict[sa.Table, dict[int, dict[str, Any]]] = {}
    for table in (STUDY_ATTRS, STUDY_SYSTEM_ATTRS):
        of_studies = attributes[table] = defaultdict(dict)
        for row in connection.execute(sa.select(table)):
            of_studies[row.study_id][row.key] = json.loads(row.value_json)
    return {
        row.study_id: FrozenStudy(
            study_name=row.study_name,
            direction=None,
            directions=directions[row.study_id],
            user_attrs=attributes[STUDY_ATTRS][row.study_id],
            system_attrs=attributes[STUDY_SYSTEM_ATTRS][row.study_id],
            study_id=row.study_id,
        )
        for row in connection.execute(sa.select(STUDIES).order_by(STUDIES.c.study_id))
    }


def _reload(connection: Connection, study: FrozenStudy, version: int, before: _Loaded | None) -> _Loaded:
    """The trials now: those that had ended and bear the same mark as `before`, and all others read again.

    All are, where the study's space was edited since, which restates the distributions of trials that ended too.
    """
    moments = (TRIALS.c.number, TRIALS.c.state, TRIALS.c.datetime_start, TRIALS.c.datetime_complete)
    of_study = sa.select(TRIALS.c.trial_id, *moments).where(TRIALS.c.study_id == study._study_id)
    marks = {row[0]: tuple(row[1:]) for row in connection.execute(of_study)}
    edits = study.user_attrs.get(EDITS_ATTRIBUTE)
    if before is None or before.edits != edits:
        return _Loaded(version, edits, marks, read_trials(connection, study.study_name))
    kept = [
        trial
        for trial in before.trials
        if trial.state.is_finished() and marks.get(trial._trial_id) == before.marks[trial._trial_id]
    ]
    read = read_trials(connection, study.study_name, among=marks.keys() - {trial._trial_id for trial in kept})
    return _Loaded(version, edits, marks, sorted([*kept, *read], key=lambda trial: trial.number))
