"""Verdicts: how a trial goes on after an epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping

from tunefast.search import budget, pruners
from tunefast.search.budget import End
from tunefast.search.running import Running
from tunefast.spec.progress import Answer, EpochReport, Verdict
from tunefast.spec.study import StudySpec

TIME_LIMIT = "time limit"
"""Why a trial ended that trained for longer than it may."""


class Judge:
    """Answers the reports of a study's trials; learns from those that completed."""

    def __init__(self, spec: StudySpec) -> None:
        self._maximize = spec.study.maximize
        self._rule = pruners.pruning_rule(spec.study.pruner, maximize=self._maximize)

    def learn(self, values: Mapping[int, float]) -> None:
        """Take in the whole curve, epoch -> value, of a trial that completed."""
        self._rule.complete(values)

    def answer(self, running: Running, report: EpochReport, spec: StudySpec, end: End | None) -> Answer:
        """How a trial goes on that has just reported, whose values have the report's in them.

        `spec` is the study's as it is now, of which budget and limits may have changed, `end` why it ended, if it did.
        """
        value = running.values[report.epoch]
        if report.diverged() or not math.isfinite(value):
            return Answer(verdict=Verdict.PRUNE, reason="diverged")
        if budget.reached(spec.budget.target, value, maximize=self._maximize):
            running.reached_target = True
            return Answer(verdict=Verdict.STOP, reason=End.TARGET)
        return _of_study(end) or self._of_trial(running, report.epoch, spec.trial.minutes)

    def _of_trial(self, running: Running, epoch: int, minutes: float | None) -> Answer:
        best = running.best(maximize=self._maximize)
        if self._rule.judge(epoch, best, running.warmup_epochs).prune:
            return Answer(verdict=Verdict.PRUNE, reason="pruner")
        if minutes is not None and running.seconds >= minutes * 60:
            return Answer(verdict=Verdict.STOP, reason=TIME_LIMIT)
        return Answer(verdict=Verdict.CONTINUE)


def _of_study(end: End | None) -> Answer | None:
    """How trials go on because the study ended; None where it did not."""
    if end is None or not end.stops_running_trials:
        return None
    if end in (End.FAILING, End.PAUSED, End.DELETED):
        return Answer(verdict=Verdict.PAUSE, reason=end)
    return Answer(verdict=Verdict.STOP, reason=f"the study ended: {end}")
