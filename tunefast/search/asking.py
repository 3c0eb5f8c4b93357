"""Asking: which parameters the next trial gets, from the grid or from a sampler."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import json_to_distribution
from optuna.trial import FrozenTrial, Trial, TrialState

from tunefast.search.ahead import AskingAhead
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
from tunefast.spec.samplers import GpSampler, GridSampler, RandomSampler, TpeSampler
from tunefast.spec.study import StudySpec
from tunefast.store.rows import settings_of
from tunefast.store.sketch import DRAWN_ID, SketchStorage
from tunefast.store.trials import MirroredStorage

MOST_SEEN = 1500
"""Trials that TPE looks at: half of them the best, the others from all over the study."""
MOST_DRAWS = 20
"""For a trial, where they repeat earlier ones."""
SAMPLER_DRAWS = 5
"""Of these, by the study's sampler; then at random."""
SKETCHED = (RandomSampler, TpeSampler, GpSampler)
"""Samplers that keep nothing in the study, so that they can draw from a copy of what they see of it."""


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
        sketched = isinstance(spec.study.sampler, SKETCHED) and bool(spec.space)
        self.ahead = AskingAhead(storage, self._sketched) if sketched else None

    @property
    def exhausted(self) -> bool:
        """Whether there is nothing left to ask for: every cell of the grid was given to a trial."""
        return self._grid is not None and len(self._grid) == 0 and not self._storage.num_waiting

    def prepare(self, num: int, then: Callable[[], None]) -> bool:
        """Let the next `num` trials be drawn while others train.

        Returns whether `new` would not have to wait; `then` is called when that may have changed, from another thread.
        """
        if self.ahead is None or self._storage.num_waiting:
            return True
        self.ahead.order(num, then)
        return not self.ahead.is_drawing

    def close(self) -> None:
        """Ask no more; what was drawn ahead is forgotten."""
        if self.ahead is not None:
            self.ahead.close()

    def new(self) -> FrozenTrial:
        """A new trial with all of its parameters, or one that somebody enqueued.

        Where they make no recipe, which somebody enqueued, it has failed.
        """
        if self.ahead is not None and not self._storage.num_waiting:
            trial_id = self._storage.adopt(self.ahead.take())
        else:
            self._study.sampler = self._nothing_sampled  # what is drawn is drawn below, once the number is known
            trial_id = self._study.ask()._trial_id  # noqa: SLF001
        return self.completed(self._storage.get_trial(trial_id))

    def completed(self, trial: FrozenTrial) -> FrozenTrial:
        """`trial` with all of its parameters, also where its coordinator died while it asked for them; see `new`."""
        trial_id = trial._trial_id  # noqa: SLF001
        if not self._spec.space and not settings_of(trial):
            return trial
        try:
            if not trial.params:
                self._set_params(trial_id)
            params = self._storage.get_trial(trial_id).params
            self._spec.recipe_for(params)
            self._tried.add(frozenset(params.items()))
        except ValueError as error:
            self._storage.set_trial_user_attr(trial_id, "error", str(error))
            self._storage.set_trial_state_values(trial_id, TrialState.FAIL)
        return self._storage.get_trial(trial_id)

    def _set_params(self, trial_id: int) -> None:
        trial = self._storage.get_trial(trial_id)
        if settings_of(trial):  # that somebody enqueued
            self._study.sampler = optuna_sampler(self._spec, trial.number)
            suggest(Trial(self._study, trial_id), self._spec.space)
        elif self._grid is not None:
            self._give(trial_id, self._grid.take())
        elif self.ahead is not None:
            self._give(trial_id, self._sketched(SketchStorage(self._storage, trial.number)).params)
        else:
            self._draw(self._study, trial.number, lambda: self._emptied(trial_id))

    def _give(self, trial_id: int, params: Mapping[str, Any]) -> None:
        for path, value in params.items():
            kind = distribution(self._spec.space[path])
            self._storage.set_trial_param(trial_id, path, kind.to_internal_repr(value), kind)

    def _emptied(self, trial_id: int) -> int:
        self._storage.forget_params(trial_id)
        return trial_id

    def _sketched(self, sketch: SketchStorage, before: Sequence[FrozenTrial] = ()) -> FrozenTrial:
        """Draw a trial from a sketch; the samplers that are given one look at the study's trials, and nowhere else."""
        study = optuna.Study(self._spec.study.name, sketch)
        self._draw(study, sketch.number, lambda: sketch.begin(before), before)
        return sketch.get_trial(DRAWN_ID)

    def _draw(
        self, study: optuna.Study, number: int, begin: Callable[[], int], before: Sequence[FrozenTrial] = ()
    ) -> None:
        """Draw parameters that no trial has had, nor one drawn `before`, unless such are hard to find by chance."""
        taken = {frozenset(trial.params.items()) for trial in before}
        for draw in range(MOST_DRAWS):
            chance = draw >= SAMPLER_DRAWS
            study.sampler = random_sampler(self._spec, number, draw) if chance else self._samplers.of(number, draw)
            drawn = frozenset(suggest(Trial(study, begin()), self._spec.space).items())
            if drawn not in self._tried and drawn not in taken:
                return

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
