"""Recording: what a trial says on its way, into memory and on its way to the database."""

from __future__ import annotations

from collections.abc import Sequence

from tunefast.search.running import Running
from tunefast.spec.progress import CheckpointFile, EpochReport
from tunefast.store.epochs import TrialLog
from tunefast.store.trials import MirroredStorage


class Recorder:
    """Notes the epochs and checkpoints of a study's running trials, in Optuna's rows and in our own."""

    def __init__(self, storage: MirroredStorage, log: TrialLog, metric: str) -> None:
        self._storage = storage
        self._log = log
        self._metric = metric

    def report(self, running: Running, report: EpochReport) -> None:
        """Note an epoch; the first one of an attempt takes the place of that epoch and all later ones.

        Raises `KeyError` for a report without the study's metric.
        """
        value = report.metrics[self._metric]
        if not running.begun:
            self._rewind(running, report.epoch)
        running.values[report.epoch] = value
        self._storage.set_trial_intermediate_value(running.trial_id, report.epoch, value)
        self._log.report(self._storage.group, running.number, running.attempt, report)

    def recall(self, running: Running, reports: Sequence[EpochReport]) -> None:
        """Note epochs that a trial goes on from: those its coordinator could not store, or of the one it varies."""
        for report in reports:
            if self._metric in report.metrics:
                self.report(running, report)
        running.epochs_before = max(running.epochs_before, running.epochs)

    def saved(self, number: int, file: CheckpointFile) -> None:
        """Note a checkpoint."""
        self._log.saved(self._storage.group, number, file)

    def _rewind(self, running: Running, epoch: int) -> None:
        """Forget the epochs from `epoch` on, which is the first of a new attempt: they are trained again."""
        for later in running.rewind(epoch):
            self._storage.forget_report(running.trial_id, later)
            self._log.forget(self._storage.group, running.number, later)
