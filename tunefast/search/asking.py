"""Asking: which parameters the next trial gets, from the grid or from a sampler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.distributions import json_to_distribution
from optuna.trial import FrozenTrial, Trial, TrialState

from tunefast.search.grid import GridCursor
from tunefast.search.samplers import (
    Samplers,
    covering,
    distribution,
    optuna_sampler,
    random_sampler,
    suggest,
    suggested,
)
from tunefast.spec.progress import Verb
from tunefast.spec.samplers import GridSampler, TpeSampler
from tunefast.spec.study import StudySpec
from tunefast.store.rows import settings_of
from tunefast.store.trials import MirroredStorage

MOST_SEEN = 1000
"""Trials that TPE looks at: the best, and as many of the others as there is room, from all over the study."""
MOST_DRAWS = 20
"""For a trial, where they repeat earlier ones."""
SAMPLER_DRAWS = 5
"""Of these, by the study's sampler; then at random."""


class Asker:
    """Makes new trials of one study."""

    def __init__(self, spec: StudySpec, storage: MirroredStorage) -> None:
        self._spec = spec
        self._storage = storage
        self._study = optuna.load_study(study_name=spec.study.name, storage=storage)
        trials = storage.all_trials()
        storage.view.stored_as = covering(spec.space, trials)
        storage.view.searched = {path: distribution(domain) for path, domain in spec.space.items()}
        storage.view.races = spec.study.target is not None
        storage.view.most_seen = MOST_SEEN if isinstance(spec.study.sampler, TpeSampler) else None
        self._samplers = Samplers(spec)
        self._nothing_sampled = optuna.samplers.RandomSampler()
        grid = isinstance(spec.study.sampler, GridSampler)
        self._opened: dict[int, tuple[Trial, optuna.samplers.BaseSampler]] = {}
        """Trials whose objectives suggest their settings themselves, by id, each with its own sampler."""
        self._grid = GridCursor(spec, [trial.params for trial in trials]) if grid else None
        self._tried = {frozenset(trial.params.items()) for trial in trials}

    @property
    def exhausted(self) -> bool:
        """Whether there is nothing left to ask for: every cell of the grid was given to a trial."""
        return self._grid is not None and len(self._grid) == 0 and not self._enqueued

    @property
    def _enqueued(self) -> bool:
        """Whether trials wait in the database that somebody enqueued."""
        return any(trial.state == TrialState.WAITING for trial in self._storage.all_trials())

    def new(self) -> FrozenTrial:
        """A new trial with all of its parameters, or one that somebody enqueued.

        Where they make no recipe, which somebody enqueued, it has failed.
        """
        if self._grid is not None and not self._enqueued:
            trial_id = self._storage.create_new_trial(self._storage.study_id)
        else:
            self._study.sampler = self._nothing_sampled  # what is drawn is drawn below, once the number is known
            trial_id = self._study.ask()._trial_id  # noqa: SLF001
        return self._with_params(trial_id)

    def completed(self, trial: FrozenTrial) -> FrozenTrial:
        """`trial` with all of its parameters, also where its coordinator died while it asked for them; see `new`."""
        if trial.params or not self._spec.space:
            return trial
        return self._with_params(trial._trial_id)  # noqa: SLF001

    def _with_params(self, trial_id: int) -> FrozenTrial:
        try:
            self._set_params(trial_id)
            self._spec.recipe_for(self._storage.get_trial(trial_id).params)
        except ValueError as error:
            self._storage.set_trial_user_attr(trial_id, "error", str(error))
            self._storage.set_trial_state_values(trial_id, TrialState.FAIL)
        return self._storage.get_trial(trial_id)

    def _set_params(self, trial_id: int) -> None:
        enqueued = bool(settings_of(self._storage.get_trial(trial_id)))
        if self._grid is None or enqueued:
            self._draw(trial_id, fixed=enqueued)
            return
        for path, value in self._grid.take().items():
            kind = distribution(self._spec.space[path])
            self._storage.set_trial_param(trial_id, path, kind.to_internal_repr(value), kind)

    def _draw(self, trial_id: int, *, fixed: bool) -> None:
        """Draw parameters that no trial has had, unless they are given, or such are hard to find by chance."""
        number = self._storage.get_trial_number_from_id(trial_id)
        for draw in range(1 if fixed or not self._spec.space else MOST_DRAWS):
            if draw:
                self._storage.forget_params(trial_id)
            chance = draw >= SAMPLER_DRAWS
            self._study.sampler = (
                random_sampler(self._spec, number, draw) if chance else self._samplers.of(number, draw)
            )
            drawn = frozenset(suggest(Trial(self._study, trial_id), self._spec.space).items())
            if drawn not in self._tried:
                break
        self._tried.add(drawn)

    def consult(self, trial_id: int, verb: Verb, argument: Mapping[str, Any]) -> Any:
        """Do what an objective asks of its trial, as Optuna does it; raises `ValueError` where Optuna refuses it.

        A setting that was suggested before, also to an earlier attempt, has the value that it had.
        """
        trial = self._open(trial_id)
        if verb == "attribute":
            trial.set_user_attr(argument["key"], argument["value"])
        elif verb == "constraint":
            trial.set_constraint(argument["key"], argument["value"])
        else:
            return suggested(trial, argument["name"], json_to_distribution(argument["distribution"]))
        return None

    def _open(self, trial_id: int) -> Trial:
        if trial_id not in self._opened:
            ended = [key for key in self._opened if self._storage.get_trial(key).state.is_finished()]
            for key in ended:
                del self._opened[key]
            sampler = optuna_sampler(self._spec, self._storage.get_trial_number_from_id(trial_id))
            self._study.sampler = sampler
            self._opened[trial_id] = Trial(self._study, trial_id), sampler
        trial, self._study.sampler = self._opened[trial_id]
        return trial
