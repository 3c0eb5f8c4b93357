"""Driving a trial: runs whatever trains, applies early stopping, and says how it ended."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tunefast.recipe.own_training import CommandRecipe, ObjectiveRecipe
from tunefast.recipe.recipe import RECIPE, TrainingRecipe
from tunefast.recipe.stopping import EarlyStopping, Patience
from tunefast.run.checkpoint_files import copied_checkpoints, num_bytes
from tunefast.run.line import Ask, ConnectionLostError, Line
from tunefast.run.script.drive import run_program
from tunefast.run.script.unread import unread
from tunefast.run.troubles import trouble
from tunefast.spec.progress import (
    CHECKPOINT_SECONDS,
    CHECKPOINTS,
    SETUP_SECONDS,
    TARGET,
    Answer,
    Assignment,
    Ending,
    EpochReport,
    Outcome,
    Returned,
    Verdict,
)
from tunefast.train.objective import Context, run_objective, run_optuna_objective
from tunefast.train.optuna_trial import Consult, OptunaTrial
from tunefast.train.process import load_torch
from tunefast.train.pulse import PULSE, HaltedError
from tunefast.train.report_log import FILE, ReportLog

log = logging.getLogger("tunefast.worker")

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Driver:
    """Stands between a trial and whoever judges it: passes reports on, and adds the trial's own early stopping."""

    def __init__(self, patience: Patience | None, ask: Ask, earlier: Sequence[EpochReport] = ()) -> None:
        self._ask = ask
        self._earlier = earlier
        self._rule = EarlyStopping(**patience.model_dump()) if patience is not None else None
        self._answer = Answer(verdict=Verdict.CONTINUE)
        self._epoch: int | None = None
        self._target_epoch: int | None = None

    def report(self, report: EpochReport) -> Answer:
        """Pass a report on; returns how the trial goes on, and whether to keep the weights it has now."""
        answer = self._ask(report)
        if self._epoch is None:
            self.recall([earlier for earlier in self._earlier if earlier.epoch < report.epoch])
        self._epoch = report.epoch
        stop = self._rule is not None and self._rule.update(report.epoch, self._monitored(report, self._rule))
        if answer.verdict is Verdict.STOP and answer.reason == TARGET:
            self._target_epoch = report.epoch
        elif answer.verdict in (Verdict.CONTINUE, Verdict.PAUSE) and stop:
            answer = Answer(verdict=Verdict.STOP, reason="early_stopping")
        restores = self._rule is not None and self._rule.settings.restore_best_weights
        keep = restores and self.kept_epoch == report.epoch
        self._answer = answer.model_copy(update={"keep": True}) if keep else answer
        return self._answer

    def catch_up(self, reports: Sequence[EpochReport]) -> None:
        """Pass on epochs of earlier attempts that were never judged, where this one ended without any of its own."""
        if self._epoch is None:
            for report in reports:
                if self.report(report).verdict is not Verdict.CONTINUE:
                    return

    def conclude(self, reason: str) -> None:
        """Take in that an earlier attempt was told to stop after the last epoch that was recalled, and why."""
        self._answer = Answer(verdict=Verdict.STOP, reason=reason)
        if reason == TARGET:
            self._target_epoch = self._epoch

    def halt(self, reason: str) -> None:
        """Take in that the trial ended within an epoch: it counts with the epochs before, or is given back."""
        if self._epoch is None:
            self._answer = Answer(verdict=Verdict.PAUSE, reason=reason)
        else:
            self.conclude(reason)

    def recall(self, reports: Sequence[EpochReport]) -> None:
        """Take in the epochs of earlier attempts that this one does not train again."""
        for report in reports:
            self._epoch = report.epoch
            if self._rule is not None:
                self._rule.update(report.epoch, self._monitored(report, self._rule))

    @staticmethod
    def _monitored(report: EpochReport, rule: EarlyStopping) -> float:
        monitor = rule.settings.monitor
        if monitor not in report.metrics:
            known = ", ".join(sorted(report.metrics))
            raise ValueError(f"early_stopping.monitor {monitor!r} is not among the reported metrics: {known}")
        return report.metrics[monitor]

    @property
    def kept_epoch(self) -> int | None:
        """The epoch whose weights count: that of the target, else the best one, else the last one."""
        if self._target_epoch is not None:
            return self._target_epoch
        if self._rule is not None and self._rule.settings.restore_best_weights and self._rule.best_epoch:
            return self._rule.best_epoch
        return self._epoch

    def outcome(self) -> Outcome | Returned:
        """How the trial ended, or that it was paused."""
        if self._answer.verdict is Verdict.PAUSE:
            return Returned()
        if self._epoch is None:  # an earlier attempt had got to the end
            self.recall(self._earlier)
        ending = Ending.PRUNED if self._answer.verdict is Verdict.PRUNE else Ending.COMPLETE
        return Outcome(ending=ending, reason=self._answer.reason, kept_epoch=self.kept_epoch)


def drive(assignment: Assignment, line: Line) -> Outcome | Returned:
    """Train the assigned trial, asking for an answer after each epoch.

    Returns how the trial ended, or that it is to be gone on with; see `trouble` for what follows from its errors. A
    broken line, as an `OSError` from one of its functions, is passed on.
    """
    use_threads(assignment.threads)
    recipe = RECIPE.validate_python(assignment.recipe)
    line = line.guarded()
    try:
        _inherit(assignment, line)
        if isinstance(recipe, TrainingRecipe):
            driver = Driver(recipe.patience(), line.report)
            try:
                _drive_training(recipe, assignment, driver, line)
            except HaltedError as halted:
                driver.halt(str(halted))
            return driver.outcome()
        return _drive_own(recipe, assignment, line)
    except ConnectionLostError as error:
        raise error.cause from error
    except (Exception, SystemExit) as error:  # noqa: BLE001  whatever a trial raises is its own trouble
        return trouble(error, assignment.directory)


def _drive_own(recipe: CommandRecipe | ObjectiveRecipe, assignment: Assignment, line: Line) -> Outcome | Returned:
    """Run the user's own training, from what is known of its earlier attempts."""
    reported = ReportLog(Path(assignment.directory or ".") / FILE, assignment.attempt)
    earlier, late = _recalled(recipe, assignment, line, reported)
    assignment = assignment.model_copy(update={"earlier": earlier})

    def ask(report: EpochReport) -> Answer:
        answer = line.report(report)
        reported.add(report)
        return answer

    driver = Driver(recipe.patience(), ask, assignment.earlier)
    if isinstance(recipe, CommandRecipe):
        run_program(recipe, assignment, driver.report, line.note)
        driver.catch_up(late)
    elif recipe.style == "optuna" and line.consult is not None:
        return _drive_optuna(recipe, assignment, driver, line.consult)
    else:
        _drive_objective(recipe, assignment, driver, reported.keep)
    return driver.outcome()


def _recalled(
    recipe: CommandRecipe | ObjectiveRecipe, assignment: Assignment, line: Line, reported: ReportLog
) -> tuple[list[EpochReport], list[EpochReport]]:
    """The epochs of all attempts before, told to a coordinator that does not know them; and those never judged."""
    earlier = list(assignment.earlier)
    if assignment.directory and (missing := reported.missing(earlier)):
        line.recall(missing)
        earlier = sorted([*earlier, *missing], key=lambda report: report.epoch)
    if not isinstance(recipe, CommandRecipe):
        return earlier, []
    reported.keep()
    late = unread(recipe, assignment, earlier)
    for report in late:
        reported.add(report)
    if late:
        line.recall(late)
        earlier = [report for report in earlier if report.epoch < late[0].epoch] + late
    return earlier, late


def _inherit(assignment: Assignment, line: Line) -> None:
    """Give a variant of another trial that one's checkpoints, where it left any and they fit, before it starts."""
    if not assignment.cloned or not assignment.directory:
        return
    source, target = Path(assignment.cloned) / CHECKPOINTS, Path(assignment.directory) / CHECKPOINTS
    if target.exists() or not source.is_dir():
        return
    size, room = num_bytes(source), assignment.checkpoint_room
    if room is not None and size > room:
        line.note(f"it starts over: the checkpoints it could start from take {size:,} bytes, and may take {room:,}")
    else:
        scratch = target.with_name(f".{CHECKPOINTS}")
        shutil.rmtree(scratch, ignore_errors=True)  # of an attempt that was killed while it copied
        copied_checkpoints(source, scratch)
        scratch.rename(target)


def _drive_objective(
    recipe: ObjectiveRecipe, assignment: Assignment, driver: Driver, on_checkpoint: Callable[[], None]
) -> None:
    context = Context(
        driver.report,
        recipe,
        trial=assignment.trial,
        seed=assignment.seed,
        device=assignment.device,
        threads=assignment.threads,
        directory=assignment.directory,
        earlier=assignment.earlier,
        on_checkpoint=on_checkpoint,
    )
    run_objective(recipe, context)


def _drive_optuna(
    recipe: ObjectiveRecipe, assignment: Assignment, driver: Driver, consult: Consult
) -> Outcome | Returned:
    """As with Optuna an objective that returns is complete, whatever it was told before."""
    trial = OptunaTrial(
        assignment.trial,
        assignment.metrics[0],
        driver.report,
        consult,
        params=recipe.params,
        earlier=assignment.earlier,
    )
    value = run_optuna_objective(recipe, trial)
    if value is not None:
        return Outcome(ending=Ending.COMPLETE, kept_epoch=driver.kept_epoch, value=value)
    if trial.should_prune():
        return driver.outcome()
    return Outcome(ending=Ending.PRUNED, reason="objective", kept_epoch=driver.kept_epoch)


def _drive_training(recipe: TrainingRecipe, assignment: Assignment, driver: Driver, line: Line) -> None:
    """Train with our loop, from the newest good checkpoint, and say which epochs that stands for."""
    started = time.perf_counter()
    load_torch()
    import torch

    from tunefast.train.checkpoint import Checkpoints
    from tunefast.train.loop import open_lane, train_lane

    lane = open_lane(recipe, assignment.seed, torch.device(assignment.device))
    checkpoints, earlier = None, []
    if assignment.directory:
        checkpoints = Checkpoints(
            Path(assignment.directory) / CHECKPOINTS,
            assignment.checkpoint_seconds,
            known=assignment.checkpoints,
            on_saved=line.saved,
            on_trouble=line.note,
            room=assignment.checkpoint_room,
        )
        earlier = checkpoints.resume(lane, of_variant=assignment.varies)
        driver.recall(earlier[checkpoints.num_adopted :])
    told = {report.epoch for report in assignment.earlier}
    if unknown := [report for report in earlier if report.epoch not in told]:
        line.recall(unknown)
    if checkpoints is not None and checkpoints.stopped is not None:
        driver.conclude(checkpoints.stopped)
        return
    reports = train_lane(lane, checkpoints, earlier)
    besides, spent = {SETUP_SECONDS: time.perf_counter() - started}, 0.0
    with PULSE.listening(line.listen), contextlib.suppress(StopIteration):
        report = next(reports)
        while True:
            log.info("attempt %d, epoch %d: %s", assignment.attempt, report.epoch, json.dumps(report.metrics))
            answer = driver.report(report.model_copy(update={"details": {**report.details, **besides}}))
            report = reports.send(answer)
            written = checkpoints.spent_seconds if checkpoints is not None else 0.0
            besides, spent = {CHECKPOINT_SECONDS: written - spent} if written > spent else {}, written


def use_threads(threads: int) -> None:
    """Set the number of threads before torch, or whatever else computes, is first used; and again for later trials."""
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(threads)
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(threads)
