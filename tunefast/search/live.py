"""LiveStudy: one study while it is being worked on. Hands out trials, answers reports, takes in outcomes."""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from tunefast.recipe.recipe import ObjectiveRecipe, TrainingRecipe
from tunefast.search import budget, pruners
from tunefast.search.asking import Asker
from tunefast.search.budget import End
from tunefast.spec.progress import Answer, Assignment, Ending, EpochReport, Outcome, Verdict
from tunefast.spec.study import Budget
from tunefast.store.database import Database
from tunefast.store.epochs import TrialLog
from tunefast.store.studies import find
from tunefast.store.trials import STATE_WORDS, MirroredStorage, StudyGone

SAME_FAILURES = 3
"""Trials at the start of a session that fail with one error before the study is stopped."""
MAX_IDLE_ATTEMPTS = 5
"""Attempts without a new epoch before a trial is given up."""
STATES = {
    Ending.COMPLETE: TrialState.COMPLETE,
    Ending.PRUNED: TrialState.PRUNED,
    Ending.INFEASIBLE: TrialState.PRUNED,
    Ending.FAILED: TrialState.FAIL,
}


@dataclass
class Running:
    """A trial that was handed out and has not ended."""

    number: int
    trial_id: int
    recipe: TrainingRecipe | ObjectiveRecipe
    warmup_epochs: int
    values: dict[int, float] = field(default_factory=dict)
    """The study's metric by epoch, over all attempts."""
    attempt: int = 0
    idle_attempts: int = 0
    epochs_before: int = 0
    """Epochs that earlier attempts had got to."""
    assignment: Assignment | None = None

    @property
    def epochs(self) -> int:
        """Epochs that it has got to."""
        return max(self.values, default=0)

    def best(self, *, maximize: bool) -> float:
        """The best value reported so far; NaN where there is none."""
        numbers = [value for value in self.values.values() if not math.isnan(value)]
        return (max if maximize else min)(numbers, default=math.nan)


class LiveStudy:
    """One study, in memory, with every change on its way to the database.

    The caller owns the database. Raises `StudyNotFound` or `StudyNotOurs`.
    """

    def __init__(self, database: Database, name: str) -> None:
        with database.transaction() as connection:
            stored = find(connection, name, database.path)
        self.name = name
        self.spec = stored.spec
        self.storage = MirroredStorage(database, name, stored.uuid)
        self.log = TrialLog(database, stored.uuid)
        self.active_seconds = stored.active_seconds
        self.end: End | None = None
        self.running: dict[int, Running] = {}
        self.counts: Counter[str] = Counter()
        self.best: tuple[int, float] | None = None
        self.error: str | None = None
        """What the first trials failed with, where the study ended for that."""
        self.epochs_run = 0
        self.epochs_saved = 0
        self._waiting: deque[Running] = deque()
        self._session_errors: list[str] | None = []
        self._rule = pruners.pruning_rule(self.spec.study.pruner, maximize=self.spec.study.maximize)
        self._asker = Asker(self.spec, self.storage)
        for trial in self.storage.get_all_trials(self.storage.study_id, deepcopy=False):
            self._recover(trial, self.log.attempts())

    def _recover(self, trial: FrozenTrial, attempts: dict[int, int]) -> None:
        """Take in a trial that is there already; one that ran goes on, since nobody trains it any more."""
        if trial.state == TrialState.RUNNING:
            running = self._prepared(self._asker.completed(trial))
            running.values.update(trial.intermediate_values)
            running.attempt = attempts.get(trial.number, 0)
            self._waiting.append(running)
        elif trial.state.is_finished():
            complete = trial.state == TrialState.COMPLETE
            self._count(trial.number, STATE_WORDS[trial.state], trial.value if complete else None)
            self._count_epochs(len(trial.intermediate_values), self.spec.epochs_for(trial.params))
            if complete:
                self._rule.complete(trial.intermediate_values)

    # Handing out.

    def claim(self) -> Running | None:
        """The next trial to train: one that lost its worker, else a new one within the budget, else None.

        Its row and its parameters are in the database when this returns.
        """
        self.check_budget()
        if self.end is not None and self.end.stops_running_trials:
            return None
        if self._waiting:
            running = self._waiting.popleft()
        elif self.end is None:
            try:
                running = self._prepared(self._asker.new(self._num_handed_out))
            except StudyGone:
                self.reconcile()
                return None
        else:
            return None
        running.attempt += 1
        self.running[running.number] = running
        self.flush()
        return running

    def check_budget(self) -> None:
        """End the study where a limit is used up, or nothing is left to try."""
        if self.end is None:
            self.end = budget.spent(self.spec.budget, self._num_handed_out, self.active_seconds)
        if self.end is None and self._asker.exhausted:
            self.end = End.TRIALS

    @property
    def _num_handed_out(self) -> int:
        return self.counts.total() + len(self.running) + len(self._waiting)

    def _prepared(self, trial: FrozenTrial) -> Running:
        recipe = self.spec.recipe_for(trial.params)
        warmup_epochs = pruners.warmup_epochs(self.spec.study.pruner, recipe)
        return Running(trial.number, trial._trial_id, recipe, warmup_epochs)  # noqa: SLF001

    def start(self, running: Running, assignment: Assignment, worker: str, provenance: dict[str, Any]) -> None:
        """Note who trains a claimed trial."""
        running.assignment = assignment
        running.epochs_before = running.epochs
        self.log.start(self.storage.group, assignment, worker, provenance)

    # Reports and outcomes.

    def report(self, number: int, report: EpochReport) -> Answer:
        """Take in what a running trial says after an epoch; returns how it goes on."""
        running = self.running[number]
        metric = self.spec.study.metric
        if metric not in report.metrics:
            known = ", ".join(sorted(report.metrics))
            return Answer(verdict=Verdict.STOP, reason=f"{metric!r} is not among the reported metrics: {known}")
        value = report.metrics[metric]
        self.epochs_run += report.epoch not in running.values
        running.values[report.epoch] = value
        self.storage.set_trial_intermediate_value(running.trial_id, report.epoch, value)
        self.log.report(self.storage.group, number, running.attempt, report)
        return self._answer(running, report, value)

    def _answer(self, running: Running, report: EpochReport, value: float) -> Answer:
        if report.diverged() or not math.isfinite(value):
            return Answer(verdict=Verdict.PRUNE, reason="diverged")
        if budget.reached(self.spec.budget, value, maximize=self.spec.study.maximize):
            self.end = End.TARGET
            return Answer(verdict=Verdict.STOP, reason=End.TARGET)
        self.check_budget()
        if self.end in (End.FAILING, End.DELETED):
            return Answer(verdict=Verdict.PAUSE, reason=self.end)
        if self.end is not None and self.end.stops_running_trials:
            return Answer(verdict=Verdict.STOP, reason=f"the study ended: {self.end}")
        best = running.best(maximize=self.spec.study.maximize)
        if self._rule.judge(report.epoch, best, running.warmup_epochs).prune:
            return Answer(verdict=Verdict.PRUNE, reason="pruner")
        return Answer(verdict=Verdict.CONTINUE)

    def finish(self, number: int, outcome: Outcome) -> None:
        """Take in how a running trial ended; it is in the database when this returns."""
        running = self.running.pop(number)
        ending, reason = outcome.ending, outcome.reason
        kept = outcome.kept_epoch if outcome.kept_epoch is not None else running.epochs
        if ending is Ending.COMPLETE and kept not in running.values:
            ending, reason = Ending.FAILED, reason or f"it ended without reporting {self.spec.study.metric!r}"
        error = outcome.error or (reason if ending is Ending.FAILED else None)
        attributes = {"reason": reason, "error": error, "kept_epoch": kept, "epochs": running.epochs}
        for key, value in attributes.items():
            if value:
                self.storage.set_trial_user_attr(running.trial_id, key, value)
        value = self._value(ending, running, kept)
        self.storage.set_trial_state_values(running.trial_id, STATES[ending], None if value is None else [value])
        if running.assignment is not None:
            self.log.end(self.storage.group, running.assignment, ending, reason)
        if ending is Ending.COMPLETE:
            self._rule.complete(running.values)
        self._count(number, ending, value if ending is Ending.COMPLETE else None)
        self.epochs_saved += max(running.recipe.epochs - len(running.values), 0)
        self._note_error(error)
        self.flush()

    def _value(self, ending: Ending, running: Running, kept: int) -> float | None:
        """What Optuna stores: the metric at the kept epoch; of a pruned trial, as stock Optuna, the last one reported."""
        if not running.values or ending is Ending.FAILED:
            return None
        value = running.values[kept if ending is Ending.COMPLETE else running.epochs]
        return None if math.isnan(value) else value

    def _count(self, number: int, state: str, value: float | None) -> None:
        """Add an ended trial to the figures; `value` is that of a complete one."""
        self.counts[state] += 1
        if value is None:
            return
        maximize = self.spec.study.maximize
        if self.best is None or (value > self.best[1] if maximize else value < self.best[1]):
            self.best = (number, value)
        if budget.reached(self.spec.budget, value, maximize=maximize):
            self.end = End.TARGET

    def _count_epochs(self, run: int, planned: int) -> None:
        self.epochs_run += run
        self.epochs_saved += max(planned - run, 0)

    def _note_error(self, error: str | None) -> None:
        """Stop the study where all of its first trials failed in the same way: what is wrong is not the recipe."""
        if self._session_errors is None:
            return
        self._session_errors.append((error or "").strip().splitlines()[-1] if error else "")
        if len(self._session_errors) < SAME_FAILURES:
            return
        if set(self._session_errors) != {""} and len(set(self._session_errors)) == 1 and self.end is None:
            self.end = End.FAILING
            self.error = error
        self._session_errors = None

    def release(self, number: int, reason: str) -> None:
        """Take back a trial whose worker died or left: it goes on, first in the queue, under the same number."""
        running = self.running[number]
        if running.assignment is not None:
            self.log.end(self.storage.group, running.assignment, "lost", reason)
            running.assignment = None
        running.idle_attempts = 0 if running.epochs > running.epochs_before else running.idle_attempts + 1
        if running.idle_attempts >= MAX_IDLE_ATTEMPTS:
            reason = f"poison: {MAX_IDLE_ATTEMPTS} attempts ended without a new epoch; the last one: {reason}"
            self.finish(number, Outcome(ending=Ending.FAILED, reason=reason))
            return
        self._waiting.appendleft(self.running.pop(number))

    # The outside.

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do: the study ended, and no trial runs or still has to."""
        over = self.end is not None and (self.end.stops_running_trials or not self._waiting)
        return over and not self.running

    def settle(self) -> None:
        """End the trials that wait for a worker and will get none, since the study is over."""
        while self._waiting and self.end in (End.TARGET, End.MINUTES):
            running = self._waiting.popleft()
            self.running[running.number] = running
            self.finish(running.number, Outcome(ending=Ending.PRUNED, reason=f"the study ended: {self.end}"))

    def extend(self, limits: Budget) -> None:
        """Go on under other limits."""
        self.spec = self.spec.model_copy(update={"budget": limits})
        self.end = None

    def flush(self) -> list[int]:
        """Write what waits; returns the numbers of trials that had been ended from outside, which then are forgotten."""
        return self._forget(self.storage.flush()) if self.storage.unwritten else []

    def reconcile(self) -> list[int]:
        """Take in what others changed in the database; returns the numbers of trials that they ended."""
        try:
            return self._forget(self.storage.reconcile())
        except StudyGone:
            self.end = End.DELETED
            return self._forget(list(self.running))

    def _forget(self, numbers: list[int]) -> list[int]:
        for number in numbers:
            self.running.pop(number, None)
            trial_id = self.storage.get_trial_id_from_study_id_trial_number(self.storage.study_id, number)
            self.counts[STATE_WORDS[self.storage.get_trial(trial_id).state]] += 1
        self._waiting = deque(running for running in self._waiting if running.number not in numbers)
        return numbers
