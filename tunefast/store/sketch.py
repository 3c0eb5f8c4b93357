"""A sketch of a study: what samplers see of it, and one trial that nobody has been given, for a thread of its own."""

# ruff: noqa: SLF001

from __future__ import annotations

from collections.abc import Sequence

from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial

from tunefast.store.trials import MirroredStorage

DRAWN_ID = -1
"""Of the trial that is drawn."""


class SketchStorage(InMemoryStorage):
    """The trials that a sampler saw at one moment, and a trial to draw settings for; nothing of it is written."""

    def __init__(self, storage: MirroredStorage, number: int) -> None:
        super().__init__()
        self.number = number
        self._max_study_id = storage.study_id - 1
        name = storage.get_study_name_from_id(storage.study_id)
        self.study_id = self.create_new_study(storage.get_study_directions(storage.study_id), name)
        self._seen = storage.seen_trials()

    def begin(self, drawn: Sequence[FrozenTrial] = ()) -> int:
        """A new trial, in place of the one before, after the `drawn` ones that nobody has been given either."""
        trial = self._create_running_trial()
        trial.number, trial._trial_id = self.number, DRAWN_ID
        self._studies[self.study_id].trials = [*self._seen, *drawn, trial]
        self._trial_id_to_study_id_and_number = {DRAWN_ID: (self.study_id, len(self._seen) + len(drawn))}
        return DRAWN_ID
