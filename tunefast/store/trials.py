"""One study in memory, where samplers read it, and every change to it on its way to the database."""

# ruff: noqa: SLF001

from __future__ import annotations

import copy
import json
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from optuna.distributions import BaseDistribution
from optuna.storages import InMemoryStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import Connection

from tunefast.store.clock import utc_now
from tunefast.store.database import Database, Group, StudyGone
from tunefast.store.rows import (
    ATTRS,
    DIRECTIONS,
    END_TRIAL,
    LIVING,
    NEW_PARAM,
    NEW_SYSTEM_ATTR,
    NEW_TRIAL,
    OURS,
    PARAMS,
    PICKLED,
    REPORTS,
    STUDIES,
    SYSTEM_ATTRS,
    TRIAL_TABLES,
    TRIALS,
    VALUES,
    copied,
    param_row,
    read_trials,
    study_uuids,
)
from tunefast.store.view import SamplersView


class MirroredStorage(InMemoryStorage):
    """One study in memory, where samplers read it; what is set on its trials is written as Optuna's rows, in groups.

    `flush` writes the group. A trial's row is inserted at once and takes the database's id; its final update is guarded
    by its state, so that a trial which somebody ended from outside stays as they left it.
    """

    def __init__(self, database: Database, study_name: str, uuid: str) -> None:
        super().__init__()
        self._database = database
        self._name = study_name
        self._uuid = uuid
        self._touched: set[int] = set()
        self._endings: dict[int, tuple[TrialState, datetime]] = {}
        self.view = SamplersView()
        self._counted_at = self._in_step_at = -1
        """The database's versions when its trials were last counted, and when those that do not run were last known."""
        self._lost: set[int] = set()
        """Trials that others claimed or ended, as far as anything waits to be written of them."""
        self.group = Group()
        with database.transaction() as connection:
            row = connection.execute(sa.select(STUDIES.c.study_id).where(STUDIES.c.study_name == study_name)).one()
            directions = sa.select(DIRECTIONS.c.direction).where(DIRECTIONS.c.study_id == row.study_id)
            objectives = connection.execute(directions.order_by(DIRECTIONS.c.objective)).scalars().all()
            trials = read_trials(connection, study_name)
            self._counted_at = self._in_step_at = database.version
        self._max_study_id = row.study_id - 1
        self.study_id = super().create_new_study(objectives, study_name)
        self._add(trials)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:  # noqa: ARG002  the one
        """Insert a running trial's row at once; its number and id are the database's. Templates are not supported."""
        if template_trial is not None:
            raise NotImplementedError("trials of a live study are created empty")
        return self._create({})

    def adopt(self, drawn: FrozenTrial) -> int:
        """A new trial, with the parameters of `drawn` where it has the number of that one."""
        return self._create({drawn.number: drawn})

    def _create(self, drawn: Mapping[int, FrozenTrial]) -> int:
        with self._database.transaction(durable=False) as connection:
            self._count(connection)
            number = len(self.all_trials())
            row = {"number": number, "study_id": self.study_id, "state": TrialState.RUNNING}
            trial_id = int(NEW_TRIAL.run(connection, {**row, "datetime_start": utc_now()}).lastrowid or 0)
            self._mark(connection, trial_id)
            params = self._params_of(trial_id, drawn[number]) if number in drawn else []
            NEW_PARAM.run_all(connection, params)
        trial = self._create_running_trial()
        trial.number, trial._trial_id, trial.system_attrs = number, trial_id, {OURS: True}
        if number in drawn:
            trial.params, trial.distributions = dict(drawn[number].params), self._stored(drawn[number].distributions)
            self._studies[self.study_id].param_distribution.update(trial.distributions)
        self._add([trial])
        return trial_id

    def _count(self, connection: Connection) -> None:
        """Take in the trials that others have added. Raises `StudyGone`."""
        version = self._database.version
        if version == self._counted_at:
            return
        self._check_still_there(connection)
        in_study = sa.select(sa.func.count()).where(TRIALS.c.study_id == self.study_id)
        if connection.execute(in_study).scalar_one() > len(self.all_trials()):
            self._add(read_trials(connection, self._name, len(self.all_trials())))
        self._counted_at = version

    @staticmethod
    def _mark(connection: Connection, trial_id: int) -> None:
        """Mark a trial that we train, so that a restart tells it from one that somebody else runs."""
        NEW_SYSTEM_ATTR.run(connection, {"trial_id": trial_id, "key": OURS, "value_json": "true"})

    def _params_of(self, trial_id: int, drawn: FrozenTrial) -> list[dict[str, Any]]:
        kinds = self._stored(drawn.distributions)
        return [
            param_row(trial_id, path, kinds[path].to_internal_repr(drawn.params[path]), kinds[path]) for path in kinds
        ]

    def _stored(self, kinds: Mapping[str, BaseDistribution]) -> dict[str, BaseDistribution]:
        return {path: self.view.stored_as.get(path, kind) for path, kind in kinds.items()}

    def forget_report(self, trial_id: int, step: int) -> None:
        """Take back what a running trial reported of a step: it is trained again."""
        trial = copy.copy(self._get_trial(trial_id))
        trial.intermediate_values = {name: value for name, value in trial.intermediate_values.items() if name != step}
        self._set_trial(trial_id, trial)
        self._touched.add(trial_id)
        self.group.clear(REPORTS, {"trial_id": trial_id, "step": step})

    def forget_params(self, trial_id: int) -> None:
        """Take back the parameters of a trial that were set since the last group was written."""
        trial = copy.copy(self._get_trial(trial_id))
        trial.params, trial.distributions = {}, {}
        self._set_trial(trial_id, trial)
        self.group.clear(PARAMS, {"trial_id": trial_id})

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """Set one parameter."""
        distribution = self.view.stored_as.get(param_name, distribution)
        super().set_trial_param(trial_id, param_name, param_value_internal, distribution)
        self._note(PARAMS, "param_name", param_row(trial_id, param_name, param_value_internal, distribution))

    def restate(self, distributions: Mapping[str, BaseDistribution]) -> None:
        """Let all trials have these distributions, as the function `restate` of `tunefast.store.rows` writes them."""
        for trial in self.all_trials():
            known = {path: distributions.get(path, old) for path, old in trial.distributions.items()}
            if known != trial.distributions:
                restated = copy.copy(trial)
                restated.distributions = known
                self._set_trial(trial._trial_id, restated)
        self._studies[self.study_id].param_distribution.update(distributions)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """End a trial, or claim one that somebody enqueued; returns whether that worked."""
        if state == TrialState.RUNNING and not self._claim(trial_id):
            return False
        updated = super().set_trial_state_values(trial_id, state, values)
        if not updated or state == TrialState.RUNNING:
            return updated
        self._touched.add(trial_id)
        self._endings[trial_id] = (state, utc_now())
        for objective, value in enumerate(values or ()):
            stored, kind = models.TrialValueModel.value_to_stored_repr(value)
            row = {"trial_id": trial_id, "objective": objective, "value": stored, "value_type": kind}
            self._note(VALUES, "objective", row)
        return updated

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """Note what a trial reported at `step`."""
        with self._lock:
            trial = self._get_trial(trial_id)
            self.check_trial_is_updatable(trial_id, trial.state)
            values = {**trial.intermediate_values, step: intermediate_value}
            self._set_trial(trial_id, copied(trial, intermediate_values=values))
        stored, kind = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr(intermediate_value)
        row = {"trial_id": trial_id, "step": step, "intermediate_value": stored, "intermediate_value_type": kind}
        self._note(REPORTS, "step", row)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set an attribute that people see."""
        super().set_trial_user_attr(trial_id, key, value)
        self._note(ATTRS, "key", {"trial_id": trial_id, "key": key, "value_json": json.dumps(value)})

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set an attribute that samplers keep their notes in."""
        super().set_trial_system_attr(trial_id, key, value)
        if not key.startswith(PICKLED):
            self._note(SYSTEM_ATTRS, "key", {"trial_id": trial_id, "key": key, "value_json": json.dumps(value)})

    def _note(self, table: sa.Table, key: str, row: dict[str, Any]) -> None:
        self._touched.add(row["trial_id"])
        self.group.add(table, ("trial_id", key), row)

    @property
    def unwritten(self) -> bool:
        """Whether a group waits to be written."""
        return bool(self.group) or bool(self._touched)

    def flush(self, *, durable: bool = True) -> list[int]:
        """Write the group in one transaction; returns the numbers of trials that had been ended from outside.

        Nothing is written of a trial that is no longer running in the database, nor where the study was deleted. The
        group is kept where the transaction fails.
        """
        with self._database.transaction(durable=durable) as connection:
            living = self._living(connection, self._touched)
            self.group.write(connection, column="trial_id", living=dict.fromkeys(TRIAL_TABLES, living))
            for trial_id in living & self._endings.keys():
                state, moment = self._endings[trial_id]
                ending = {"state": state, "datetime_complete": moment, "running": TrialState.RUNNING}
                END_TRIAL.run(connection, {"ended": trial_id, **ending})
            refused = self._take_over(connection, self._touched - living)
        self.group, self._touched, self._endings = Group(), set(), {}
        return refused

    def reconcile(self) -> list[int]:
        """Take in what others did to the study: new trials, and ones they claimed or ended, whose numbers it returns.

        Raises `StudyGone` where somebody deleted the study.
        """
        of_study = sa.select(TRIALS.c.trial_id, TRIALS.c.state).where(TRIALS.c.study_id == self.study_id)
        with self._database.transaction() as connection:
            self._check_still_there(connection)
            states = {row.trial_id: row.state for row in connection.execute(of_study)}
            unfinished = [trial for trial in self.all_trials() if not trial.state.is_finished()]
            changed = {trial._trial_id for trial in unfinished if states.get(trial._trial_id) != trial.state}
            self._add(read_trials(connection, self._name, len(self.all_trials())))
            refused = self._take_over(connection, changed)
            self._lost = changed | {touched for touched in self._touched if states.get(touched) != TrialState.RUNNING}
            self._counted_at = self._in_step_at = self._database.version
            return refused

    def _is_still_there(self, connection: Connection) -> bool:
        return study_uuids(connection).get(self._name) == self._uuid

    def _check_still_there(self, connection: Connection) -> None:
        if not self._is_still_there(connection):
            raise StudyGone(self._name)

    def _claim(self, trial_id: int) -> bool:
        waiting = sa.update(TRIALS).where(TRIALS.c.trial_id == trial_id, TRIALS.c.state == TrialState.WAITING)
        with self._database.transaction() as connection:
            self._check_still_there(connection)
            claimed = connection.execute(waiting.values(state=TrialState.RUNNING, datetime_start=utc_now()))
            if claimed.rowcount == 1:
                self._mark(connection, trial_id)
            return claimed.rowcount == 1

    def _living(self, connection: Connection, trial_ids: Iterable[int]) -> set[int]:
        """Those of the trials that still run in the database, under this very study."""
        if self._database.version == self._in_step_at:
            return set(trial_ids) - self._lost
        return set(connection.execute(LIVING, {"uuid": json.dumps(self._uuid), "ids": list(trial_ids)}).scalars())

    def _take_over(self, connection: Connection, trial_ids: set[int]) -> list[int]:
        """Replace trials in memory by what the database holds of them, if it does; returns their numbers."""
        if trial_ids and self._is_still_there(connection):
            for trial in read_trials(connection, self._name):
                if trial._trial_id in trial_ids:
                    self._set_trial(trial._trial_id, trial)
        return sorted(self.get_trial_number_from_id(trial_id) for trial_id in trial_ids)

    def all_trials(self) -> list[FrozenTrial]:
        """Every trial, as the database has it, in the order of their numbers; not to be changed."""
        return self._studies[self.study_id].trials

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """What samplers see."""
        if states == (TrialState.WAITING,):  # which takes no time, since Optuna's storage knows where they begin
            return super().get_all_trials(study_id, deepcopy, states)
        seen = [trial for trial in self.seen_trials() if states is None or trial.state in states]
        return copy.deepcopy(seen) if deepcopy else seen

    def seen_trials(self) -> list[FrozenTrial]:
        """What samplers see, whatever its state; not to be changed, but nobody will change it either."""
        return self.view.of(self.all_trials(), self.get_study_directions(self.study_id))

    @property
    def num_waiting(self) -> int:
        """Trials that somebody enqueued, and nobody has claimed."""
        return len(super().get_all_trials(self.study_id, deepcopy=False, states=(TrialState.WAITING,)))

    def _add(self, trials: Iterable[FrozenTrial]) -> None:
        """What Optuna does for a template, but for copying it, which takes longer than reading it."""
        for trial in trials:
            self._max_trial_id = trial._trial_id
            self._trial_id_to_study_id_and_number[trial._trial_id] = (self.study_id, trial.number)
            self._studies[self.study_id].trials.append(trial)
            self._update_cache(trial._trial_id, self.study_id)
