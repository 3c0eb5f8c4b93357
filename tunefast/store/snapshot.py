"""StudySnapshot: a read-only copy of a study, from which everything people see is drawn."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import Connection

from tunefast.errors import StudyNotOurs, UserError
from tunefast.spec.progress import STOPPED_EARLY
from tunefast.spec.samplers import GridSampler
from tunefast.spec.start import written_params
from tunefast.spec.study import StudySpec
from tunefast.store import standing, tables
from tunefast.store.engine import collecting_later
from tunefast.store.rows import (
    EXTRAPOLATED,
    SPLITS,
    num_in_budget,
    read_trials,
    state_word,
    study_attribute,
    study_uuids,
)
from tunefast.store.schema import reading
from tunefast.store.studies import CONFIRMATION, CONFIRMS_ATTRIBUTE, Edit, StoredStudy, edits, find


@dataclass(frozen=True)
class StudySnapshot:
    """A study at one moment."""

    name: str
    uuid: str
    spec: StudySpec
    trials: list[FrozenTrial]
    active_seconds: float
    attempts: list[dict[str, Any]]
    epochs: list[dict[str, Any]]
    edits: list[Edit] = field(default_factory=list)
    """How its spec was changed, in order."""
    slot_seconds: float | None = None
    """Seconds that slots were lent to it, summed over the slots; None where an earlier tunefast did not count them."""
    confirms: str | None = None
    """The uuid of the study whose best trials it trains again; None where it is no confirmation."""
    held: bool = False
    """Whether people want it to wait, as long as anybody works on it."""
    num_workers: int | None = None
    """That work on it; None where nobody asked. Only who is at work knows, the database does not."""

    @property
    def is_paused(self) -> bool:
        """Whether people paused it; who begins anew with a study that nobody works on is not bound by that."""
        return self.held and self.num_workers != 0

    @property
    def counts(self) -> dict[str, int]:
        """Trials by state; those from another study are "imported"."""
        return standing.counts(self.trials, self.states)

    @property
    def num_own(self) -> int:
        """Trials that were not brought from another study."""
        return len(self.trials) - self.counts.get("imported", 0)

    @cached_property
    def states(self) -> dict[int, str]:
        """By trial, how it stands in tunefast's words: waiting where nobody trains it, retried where another does."""
        return standing.words(self.trials, self.begun_waiting)

    @cached_property
    def begun_waiting(self) -> set[int]:
        """The trials that were begun and wait, for a worker or at their rung: to Optuna they run."""
        return standing.begun_waiting(self.trials, self.attempts, nobody_works=self.num_workers == 0)

    @cached_property
    def at_rung(self) -> set[int]:
        """Of these the trials that wait until they are among the best at their rung."""
        return standing.at_rung(self.begun_waiting, self.attempts)

    @property
    def num_unfinished(self) -> int:
        """Trials that were begun and have not ended."""
        return sum(trial.state == TrialState.RUNNING for trial in self.trials)

    @property
    def trains_with_ours(self) -> bool:
        """Whether its trials train with tunefast's own loop."""
        return self.spec.trains_with_ours

    @property
    def best(self) -> FrozenTrial | None:
        """The complete trial with the best value, the earliest of equals; None where none is complete."""
        return next(iter(self.ranking), None)

    @property
    def ranking(self) -> list[FrozenTrial]:
        """The complete trials, best first, the earlier of equals; of several objectives the first one counts."""
        return sorted(self.complete, key=lambda trial: (self.costs(trial)[0], trial.number))

    @property
    def as_written(self) -> FrozenTrial | None:
        """The first trial, where it ended with a value and had the recipe as its author wrote it."""
        first = next((trial for trial in self.trials if trial.number == 0 and trial.values), None)
        written = written_params(self.spec)
        return first if first is not None and written and first.params == written else None

    @property
    def nearest(self) -> FrozenTrial | None:
        """The trial of a race that would have got to the target for least, of those that did not get there."""
        stopped = [trial for trial in self.trials if EXTRAPOLATED in trial.user_attrs]
        return min(stopped, key=lambda trial: float(trial.user_attrs[EXTRAPOLATED]), default=None)

    @property
    def front(self) -> list[FrozenTrial]:
        """The complete trials than which no other is as good in every objective and better in one; the best first."""
        costs = {trial.number: self.costs(trial) for trial in self.complete}
        beaten = {
            number
            for number, mine in costs.items()
            if any(all(map(operator.le, other, mine)) and other != mine for other in costs.values())
        }
        return sorted((trial for trial in self.complete if trial.number not in beaten), key=self.costs)

    @property
    def complete(self) -> list[FrozenTrial]:
        """The complete trials with their values."""
        return [trial for trial in self.trials if state_word(trial) == "complete" and trial.values]

    def costs(self, trial: FrozenTrial) -> list[float]:
        """A trial's values, of which less is better."""
        pairs = zip(trial.values, self.spec.study.maximizes, strict=True)
        return [-value if maximize else value for value, maximize in pairs]

    @property
    def is_used_up(self) -> bool:
        """Whether its trials are used up or its target is reached, so that nothing is left to do."""
        trials = self.spec.budget.trials
        return self.has_reached_target or (trials is not None and self._have_ended(trials))

    @property
    def has_reached_target(self) -> bool:
        """Whether its best trial is as good as the budget's target."""
        target, best, sign = self.spec.budget.target, self.best, 1 if self.spec.study.maximize else -1
        return best is not None and target is not None and sign * best.values[0] >= sign * target

    @property
    def is_out_of_time(self) -> bool:
        """Whether the budget's minutes are used up."""
        minutes = self.spec.budget.minutes
        return minutes is not None and self.active_seconds >= minutes * 60

    @property
    def is_over(self) -> bool:
        """Whether running it would end at once: it is used up, out of time, or its grid is covered."""
        if self.is_used_up or self.is_out_of_time:
            return True
        return isinstance(self.spec.study.sampler, GridSampler) and self._have_ended(self.spec.num_cells)

    def _have_ended(self, num_trials: int) -> bool:
        """Whether as many trials have ended, and none has not."""
        ended = all(trial.state.is_finished() for trial in self.trials)
        return ended and num_in_budget(self.trials) >= num_trials

    def trial(self, number: int) -> FrozenTrial:
        """The trial of that number. Raises `UserError` where there is none."""
        trial = next((trial for trial in self.trials if trial.number == number), None)
        if trial is None:
            has = f"it has {len(self.trials)}, counted from 0" if self.trials else "it has none yet"
            raise UserError(message=f"study {self.name!r} has no trial {number}; {has}")
        return trial

    def recipe_of(self, trial: FrozenTrial, *, defaults: bool = False) -> dict[str, Any]:
        """The trial's whole recipe, with `defaults` or without.

        What an objective of Optuna's suggested by itself stands in ``params``, where a recipe can fix it. Of own
        training whose end nobody said no number of epochs is claimed.
        """
        checked = self.spec.recipe_for(trial.params, trial.user_attrs.get(SPLITS, 0))
        recipe = checked.table() if defaults else checked.settings()
        if not self.spec.knows_epochs:
            del recipe["epochs"]
        suggested = {name: value for name, value in trial.params.items() if name not in self.spec.space}
        return {**recipe, "params": {**recipe.get("params", {}), **suggested}} if suggested else recipe

    @cached_property
    def epochs_reached(self) -> dict[int, int]:
        """By trial, the last epoch that it has reported."""
        told = {trial.number: max(trial.intermediate_values, default=0) for trial in self.trials}
        for row in self.epochs:
            told[row["trial"]] = max(told.get(row["trial"], 0), row["epoch"])
        return told

    @property
    def epochs_planned(self) -> int:
        """Epochs that the ended trials would have run, had no rule stopped any of them."""
        run = Counter(row["trial"] for row in self.epochs)
        saved = sum(
            self.spec.epochs_for(trial.params) - run[trial.number]
            for trial in self.trials
            if trial.user_attrs.get("reason") in STOPPED_EARLY
        )
        return self.epochs_run + saved

    @property
    def epochs_run(self) -> int:
        """Epochs that the ended trials did run."""
        ended = {trial.number for trial in self.trials if trial.state.is_finished()}
        return sum(1 for row in self.epochs if row["trial"] in ended)

    @property
    def train_seconds(self) -> float:
        """Seconds spent training, over all trials."""
        return float(sum(row["train_seconds"] for row in self.epochs))


def snapshot(path: Path, name: str) -> StudySnapshot:
    """Read the study `name` in the database at `path`. Raises `StorageError`, `StudyNotFound` or `StudyNotOurs`."""
    with reading(path) as connection, collecting_later():
        stored = find(connection, name, path)
        return replace(
            _outline(connection, name, stored),
            trials=read_trials(connection, name),
            epochs=tables.rows_of(connection, tables.epochs, stored.uuid),
            edits=edits(connection, name),
        )


def confirmation(path: Path, study: StudySnapshot) -> StudySnapshot | None:
    """The study that trains the best trials of `study` again, in the database at `path`, if there is one."""
    name = f"{study.name}{CONFIRMATION}"
    if not study_names(path).get(name):
        return None
    found = snapshot(path, name)
    return found if found.confirms == study.uuid else None


def confirmed_study(path: Path, confirming: StudySnapshot) -> StudySnapshot | None:
    """The study whose best trials `confirming` trains again; None where it is no confirmation, or that one is gone."""
    name = confirming.name.removesuffix(CONFIRMATION)
    if confirming.confirms is None or not study_names(path).get(name):
        return None
    found = snapshot(path, name)
    return found if confirming.confirms == found.uuid else None


def study_names(path: Path) -> dict[str, bool]:
    """The studies in the database at `path`, each with whether tunefast created it."""
    with reading(path) as connection:
        return {name: stored is not None for name, stored in _stored(connection).items()}


def outlines(path: Path, trials: Callable[[str], list[FrozenTrial]]) -> dict[str, StudySnapshot | None]:
    """The studies in the database at `path`, without their epochs; None for those that tunefast did not create.

    `trials` has the trials of a study by its name, for who keeps them.
    """
    with reading(path) as connection:
        found = {
            name: None if stored is None else _outline(connection, name, stored)
            for name, stored in _stored(connection).items()
        }
    return {name: None if study is None else replace(study, trials=trials(name)) for name, study in found.items()}


def _outline(connection: Connection, name: str, stored: StoredStudy) -> StudySnapshot:
    """A study without trials and epochs."""
    return StudySnapshot(
        name=name,
        uuid=stored.uuid,
        spec=stored.spec,
        trials=[],
        active_seconds=stored.active_seconds,
        attempts=tables.rows_of(connection, tables.attempts, stored.uuid),
        epochs=[],
        slot_seconds=stored.slot_seconds,
        confirms=study_attribute(connection, name, CONFIRMS_ATTRIBUTE),
        held=stored.orders.held,
    )


def _stored(connection: Connection) -> dict[str, StoredStudy | None]:
    """All studies; None for those that carry no uuid of ours, or are a copy of the one that it was made for."""
    has_studies = sa.inspect(connection).has_table("studies")
    return {name: _found(connection, name) for name in (study_uuids(connection) if has_studies else {})}


def _found(connection: Connection, name: str) -> StoredStudy | None:
    try:
        return find(connection, name, Path())
    except StudyNotOurs:
        return None
