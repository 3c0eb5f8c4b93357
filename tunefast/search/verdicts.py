"""Verdicts: how a trial goes on after an epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping

from tunefast.search import budget, pruners
from tunefast.search.budget import End
from tunefast.search.running import Running
from tunefast.spec.progress import Answer, EpochReport, Verdict
from tunefast.spec.study import StudySpec


class Judge:
    """Answers the reports of a study's trials; learns from those that completed."""

    def __init__(self, spec: StudySpec) -> None:
        self._maximize = spec.study.maximize
        self._rule = pruners.pruning_rule(spec.study.pruner, maximize=self._maximize)

    def learn(self, values: Mapping[int, float]) -> None:
        """Take in the whole curve, epoch -> value, of a trial that completed."""
        self._rule.complete(values)

    def answer(self, running: Running, report: EpochReport, target: float | None, end: End | None) -> Answer:
        """How a trial goes on that has just reported; `target` is the budget's, `end` why the study ended, if it did.

        The trial's values have the report's in them.
        """
        value = running.values[report.epoch]
        if report.diverged() or not math.isfinite(value):
            return Answer(verdict=Verdict.PRUNE, reason="diverged")
        if budget.reached(target, value, maximize=self._maximize):
            running.reached_target = True
            return Answer(verdict=Verdict.STOP, reason=End.TARGET)
        if end in (End.FAILING, End.DELETED):
            return Answer(verdict=Verdict.PAUSE, reason=end)
        if end is not None and end.stops_running_trials:
            return Answer(verdict=Verdict.STOP, reason=f"the study ended: {end}")
        best = running.best(maximize=self._maximize)
        if self._rule.judge(report.epoch, best, running.warmup_epochs).prune:
            return Answer(verdict=Verdict.PRUNE, reason="pruner")
        return Answer(verdict=Verdict.CONTINUE)
