"""Training one recipe to keep its model: what `tunefast train` does."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tunefast.errors import CheckpointError, SpecError, UserError
from tunefast.run.driver import Driver, use_threads
from tunefast.run.jobs import Job
from tunefast.run.model_files import Export, Trained, write_files
from tunefast.spec.progress import Answer, EpochReport, Verdict
from tunefast.train.process import load_torch

if TYPE_CHECKING:
    import torch

    from tunefast.train.checkpoint import Checkpoints
    from tunefast.train.lane import Lane

CHECKPOINTS = "checkpoints"
CHECKPOINT_SECONDS = 1.0
"""Between two checkpoints, at least; what they cost is limited besides."""


class Listener(Protocol):
    """Who follows a training."""

    def report(self, report: EpochReport) -> None:
        """An epoch ended."""

    def resumed(self, epoch: int) -> None:
        """The training goes on after `epoch`, from its checkpoint."""

    def stopping(self) -> bool:
        """Whether to stop now, to be gone on with later."""


def train_job(
    job: Job, device: str, directory: Path, listener: Listener, export: Export | None = None
) -> Trained | None:
    """Train, measure on the test set, and write `FILES` and the export into `directory`.

    Goes on from the checkpoints in there where it was cut off, with their number of threads. Returns None where the
    listener stopped it. Raises `UserError` where the directory cannot be made, the export is not possible or the
    checkpoints are of another recipe or seed, `DataError` where the data cannot be read, and `SpecError` where parts
    of the recipe do not fit it.
    """
    use_threads(job.threads)
    load_torch()
    import torch

    from tunefast.train.checkpoint import Checkpoints
    from tunefast.train.export import check_export
    from tunefast.train.loop import train_lane

    if export is not None:
        check_export(export)
    checkpoints = Checkpoints(directory / CHECKPOINTS, CHECKPOINT_SECONDS)
    lane, earlier = _open(job, torch.device(device), checkpoints)
    _make(directory)
    judge = _Judge(job, listener, len(earlier))
    driver = Driver(job.recipe.patience(), judge)
    answer = Answer(verdict=Verdict.CONTINUE)
    for report in earlier:
        answer = driver.report(report)
    if earlier:
        listener.resumed(len(earlier))
    if answer.verdict is Verdict.CONTINUE:
        answer = _drive(train_lane(lane, checkpoints, earlier), driver)
    if answer.verdict is Verdict.PAUSE:
        return None
    trained = _measured(lane, judge.reports, driver.kept_epoch or len(judge.reports))
    files = write_files(directory, job, trained, lane, judge.reports, export)
    shutil.rmtree(checkpoints.directory, ignore_errors=True)
    return trained._replace(files=files)


class _Judge:
    """Answers a training's reports: stops it where its trial was stopped, and where the listener wants to."""

    def __init__(self, job: Job, listener: Listener, num_earlier: int) -> None:
        self.reports: list[EpochReport] = []
        self._job = job
        self._listener = listener
        self._num_earlier = num_earlier

    def __call__(self, report: EpochReport) -> Answer:
        self.reports.append(report)
        if len(self.reports) > self._num_earlier:
            self._listener.report(report)
        if report.epoch == self._job.stop_after:
            return Answer(verdict=Verdict.STOP, reason=self._job.stop_reason)
        reached = len(self.reports) >= self._num_earlier and report.epoch < self._job.recipe.epochs
        return Answer(verdict=Verdict.PAUSE if reached and self._listener.stopping() else Verdict.CONTINUE)


def _open(job: Job, device: torch.device, checkpoints: Checkpoints) -> tuple[Lane, list[EpochReport]]:
    """The lane where its checkpoints stand, and the reports up to there."""
    from tunefast.train.loop import open_lane

    found = checkpoints.latest()
    if found is not None:
        use_threads(found.threads)
    try:
        lane = open_lane(job.recipe, job.seed, device)
    except ValueError as error:
        raise SpecError(where=job.title, problem=str(error)) from error
    try:
        return lane, checkpoints.restore(lane, found)
    except CheckpointError as error:
        raise UserError(message=f"{error}; name another directory with -o, or delete that one") from error


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(message=f"{directory}: cannot be made a directory ({error.strerror})") from error


def _drive(training: Generator[EpochReport, Answer, Any], driver: Driver) -> Answer:
    """Train to the end; the last answer."""
    answer = Answer(verdict=Verdict.CONTINUE)
    try:
        report = next(training)
        while True:
            answer = driver.report(report)
            report = training.send(answer)
    except StopIteration:
        return answer


def _measured(lane: Lane, reports: Sequence[EpochReport], kept: int) -> Trained:
    lane.result()
    tested = {f"test_{name}": value for name, value in lane.evaluate_test().items()}
    return Trained(
        metrics={**reports[kept - 1].metrics, **tested},
        kept_epoch=kept,
        epochs=len(reports),
        train_seconds=sum(report.train_seconds for report in reports),
        details=reports[0].details,
        files=(),
    )
