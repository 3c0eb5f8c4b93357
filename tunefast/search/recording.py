"""Recording: what a trial says on its way, into memory and on its way to the database."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tunefast.search.objectives import Objectives
from tunefast.search.running import STATES, Running
from tunefast.search.tally import Ended
from tunefast.spec.progress import STOPPED_EARLY, CheckpointFile, Ending, EpochReport, Outcome
from tunefast.store.epochs import NOTHING, TrialLog
from tunefast.store.rows import AUDITED, CONSTRAINT, VIOLATED
from tunefast.store.trials import MirroredStorage


class Recorder:
    """Notes epochs, checkpoints and outcomes of a study's trials, in Optuna's rows and in our own."""

    def __init__(self, storage: MirroredStorage, log: TrialLog, objectives: Objectives) -> None:
        self._storage = storage
        self._log = log
        self._objectives = objectives

    def report(self, running: Running, report: EpochReport) -> None:
        """Note an epoch; see `take`."""
        self.take(running, report)
        self.store(running, report)

    def take(self, running: Running, report: EpochReport) -> None:
        """Take in an epoch; the first one of an attempt takes the place of that epoch and all later ones.

        Raises `KeyError` for a report without what trials are compared by.
        """
        if not running.begun:
            self._rewind(running, report.epoch)
        self._objectives.take(running, report)

    def store(self, running: Running, report: EpochReport, numbers: Mapping[str, float] = NOTHING) -> None:
        """Note an epoch that was taken in, with the numbers that it was judged by."""
        if self._objectives.stores_curve:
            value = running.values[report.epoch]
            seen = value if math.isfinite(value) else math.nan  # or a sampler could take infinity for the best
            self._storage.set_trial_intermediate_value(running.trial_id, report.epoch, seen)
        self._log.report(self._storage.group, running.number, running.attempt, report, numbers)

    def audits(self, running: Running, epoch: int) -> None:
        """Note that a trial runs on which the pruner would have stopped after `epoch`."""
        running.audited = epoch
        self._storage.set_trial_user_attr(running.trial_id, AUDITED, epoch)

    def recall(self, running: Running, reports: Sequence[EpochReport]) -> None:
        """Note epochs that a trial goes on from: those its coordinator could not store, or of the one it varies."""
        for report in reports:
            if not self._objectives.lacking(report):
                self.report(running, report)
        running.epochs_before = max(running.epochs_before, running.epochs)
        running.begun = False  # what it trains again takes the place of these

    def saved(self, number: int, file: CheckpointFile) -> None:
        """Note a checkpoint."""
        self._log.saved(self._storage.group, number, file)

    def outcome(self, running: Running, outcome: Outcome) -> tuple[Ended, str | None]:
        """Note how a trial ended; returns that, and what it failed with if it did."""
        storage, trial_id = self._storage, running.trial_id
        judged = self._objectives.judged(running, outcome)
        ending, reason, kept, error, values, excesses, notes = judged
        if ending is Ending.INFEASIBLE:
            storage.set_trial_system_attr(trial_id, f"{CONSTRAINT}:{reason}", VIOLATED)
        for name, excess in excesses.items():
            storage.set_trial_system_attr(trial_id, f"{CONSTRAINT}:{name}", excess)
        attributes = {"reason": reason, "error": error, "kept_epoch": kept, "epochs": running.epochs, **notes}
        for key, attribute in attributes.items():
            if attribute and (key != "epochs" or key not in storage.get_trial(trial_id).user_attrs):
                storage.set_trial_user_attr(trial_id, key, attribute)
        storage.set_trial_state_values(trial_id, STATES[ending], values)
        if running.assignment is not None:
            self._log.end(storage.group, running.assignment, ending, reason)
        planned = running.recipe.epochs if reason in STOPPED_EARLY else len(running.values)
        counted = values[0] if values and judged.word == Ending.COMPLETE else None
        return Ended(judged.word, counted, len(running.values), planned), error

    def _rewind(self, running: Running, epoch: int) -> None:
        """Forget the epochs from `epoch` on, which is the first of a new attempt: they are trained again."""
        for later in running.rewind(epoch):
            self._storage.forget_report(running.trial_id, later)
            self._log.forget(self._storage.group, running.number, later)
