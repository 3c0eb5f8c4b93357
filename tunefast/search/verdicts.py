"""Verdicts: how a trial goes on after an epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping

from tunefast.search import budget
from tunefast.search.budget import End
from tunefast.search.objectives import Objectives
from tunefast.search.pruning import Curve, Decision, PromotingRule, Standing, halfway, pruning_rule
from tunefast.search.pruning.rule import PAUSED
from tunefast.search.race import RaceRule
from tunefast.search.running import Running
from tunefast.spec.progress import AT_RUNG, PRUNER, RACE, Answer, EpochReport, Verdict
from tunefast.spec.study import StudySpec

TIME_LIMIT = "time limit"
"""Why a trial ended that trained for longer than it may."""


class Judge:
    """Answers the reports of a study's trials; learns from those that completed."""

    def __init__(self, spec: StudySpec, objectives: Objectives) -> None:
        self._objectives = objectives
        self._maximize = spec.study.curve_maximize
        self._main_metric, self._main_maximize = spec.study.main_metric, spec.study.maximize
        self._rule = pruning_rule(
            spec.study.pruner, maximize=self._maximize, seed=spec.study.seed, resumes=spec.trains_with_ours
        )
        self.promoting = self._rule if isinstance(self._rule, PromotingRule) else None
        """The rule, where trials wait for it to let them go on."""
        self._race = RaceRule(spec.study.target, maximize=self._maximize) if spec.study.target is not None else None
        self._knows_epochs = spec.knows_epochs

    def learn(self, curve: Curve) -> None:
        """Take in what a trial has reported that ended, or goes on after a restart."""
        self._rule.learn(curve)
        if self._race is not None:
            self._race.learn(curve)

    def answer(
        self, running: Running, report: EpochReport, spec: StudySpec, end: End | None, best: float | None
    ) -> tuple[Answer, Mapping[str, float]]:
        """How a trial goes on that has just reported, whose values have the report's in them, and by which numbers.

        `spec` is the study's as it is now, of which budget and limits may have changed, `end` why it ended, if it did;
        `best` is the best value so far.
        """
        value = running.values[report.epoch]
        if report.diverged() or not math.isfinite(value):
            return Answer(verdict=Verdict.PRUNE, reason="diverged"), {}
        violated = self._objectives.hopeless(running, report.epoch)
        if violated is not None:
            return Answer(verdict=Verdict.PRUNE, reason=violated), {}
        standing = self._standing(running, report.epoch)
        lap = None
        if self._race is not None:
            if self._objectives.has_won(running, report.epoch):
                return self._won(running, spec), {}
            lap = self._race.judge(standing, self._objectives.spent(running), best)
        main = report.metrics.get(self._main_metric)
        reached = main is not None and budget.reached(spec.budget.target, main, maximize=self._main_maximize)
        if reached and self._objectives.is_feasible(running, report.epoch):
            running.reached_target = True
            return Answer(verdict=Verdict.STOP, reason=End.TARGET), {}
        decision = Decision(prune=False)
        if running.audited is None or self.promoting is None:  # rules learn from being asked, but for who waits
            decision = self._rule.judge(standing)
        decision = decision if running.audited is None else Decision(prune=False)
        numbers = decision.numbers() | (lap.numbers if lap is not None else {})
        if lap is not None and lap.stop is not None:
            return _of_study(end) or Answer(verdict=Verdict.PRUNE, reason=RACE), numbers
        answer = _of_study(end) or _of_trial(running, decision, spec.trial.minutes)
        running.at_rung = answer.reason == PRUNER and self.promoting is not None
        answer = Answer(verdict=Verdict.PAUSE, reason=AT_RUNG) if running.at_rung else answer
        return answer, numbers | ({PAUSED: 1.0} if running.at_rung else {})

    def _won(self, running: Running, spec: StudySpec) -> Answer:
        """A trial of a race got to the target: it ends, and the study too where it took no more than the budget's."""
        spent = self._objectives.spent(running)
        running.reached_target = budget.reached(spec.budget.target, spent, maximize=False)
        return Answer(verdict=Verdict.STOP, reason=End.TARGET)

    def _standing(self, running: Running, epoch: int) -> Standing:
        return Standing(
            running.number,
            epoch,
            running.values[epoch],
            running.best(maximize=self._maximize),
            running.recipe.epochs if self._knows_epochs else None,
            running.warmup_epochs,
            running.best(maximize=self._maximize, until=halfway(epoch)),
            running.spent.get(epoch, 0.0),
            running.recipe.annealed,
        )


def _of_trial(running: Running, decision: Decision, minutes: float | None) -> Answer:
    if decision.prune:
        return Answer(verdict=Verdict.PRUNE, reason=PRUNER)
    if minutes is not None and running.seconds >= minutes * 60:
        return Answer(verdict=Verdict.STOP, reason=TIME_LIMIT)
    return Answer(verdict=Verdict.CONTINUE)


def _of_study(end: End | None) -> Answer | None:
    """How trials go on because the study ended; None where it did not."""
    if end is None or not end.stops_running_trials:
        return None
    if end in (End.FAILING, End.PAUSED, End.DELETED):
        return Answer(verdict=Verdict.PAUSE, reason=end)
    return Answer(verdict=Verdict.STOP, reason=budget.ended_by(end))
