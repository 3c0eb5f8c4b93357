"""StudyState: one study in memory, as its database has it; takes in what others change there."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping

from optuna.trial import FrozenTrial, TrialState

from tunefast.search import budget
from tunefast.search.asking import Asker
from tunefast.search.budget import End, FirstErrors
from tunefast.search.objectives import Objectives
from tunefast.search.pruning import Curve, PromotingRule, warmup_epochs
from tunefast.search.pruning.rule import PAUSED
from tunefast.search.recording import Recorder
from tunefast.search.running import Running
from tunefast.search.tally import Ended, Tally
from tunefast.search.verdicts import Judge
from tunefast.search.waiting import WaitingTrials
from tunefast.spec.progress import BY_ITSELF, STOPPED_EARLY
from tunefast.store.database import Database, StudyGone
from tunefast.store.epochs import Attempts, TrialLog
from tunefast.store.rows import AUDITED, IMPORTED, OURS, RETRIES, SPLITS, main_value, state_word
from tunefast.store.studies import Orders, find, keep_orders
from tunefast.store.trials import MirroredStorage

NUM_LATELY = 3
"""Verdicts that people are shown while a study runs."""


class StudyState:
    """One study in memory: what ended, what runs, what waits; every change is on its way to the database.

    The caller owns the database. Raises `StudyNotFound` or `StudyNotOurs`.
    """

    def __init__(self, database: Database, name: str) -> None:
        with database.transaction() as connection:
            stored = find(connection, name, database.path)
        self.name = name
        self.uuid = stored.uuid
        self.spec = stored.spec
        self._database = database
        self.orders = stored.orders
        """What people want, as it is on disk: see `keep_orders`."""
        self.storage = MirroredStorage(database, name, stored.uuid)
        self.log = TrialLog(database, stored.uuid)
        self.active_seconds = stored.active_seconds
        self.slot_seconds = stored.slot_seconds
        self.accounted_at = time.monotonic()
        """When its time was last counted."""
        self.end: End | None = None
        self.running: dict[int, Running] = {}
        self.tally = Tally(maximize=self.spec.study.maximize)
        self.just_ended: list[int] = []
        """Trials that have ended and whose files nobody has looked at since."""
        self.lately: deque[str] = deque(maxlen=NUM_LATELY)
        """How the last trials ended, or why they wait, in words."""
        self._foreign: set[int] = set()
        """Running trials that somebody else trains, with stock Optuna."""
        self.error: str | None = None
        """What the first trials failed with, or what is wrong with the machine, where the study ended for that."""
        self._waiting = WaitingTrials()
        self.paused: dict[int, Running] = {}
        """Trials that wait until they are among the best at their rung."""
        self.storage.view.paused = self.paused.keys()
        self._first_errors = FirstErrors()
        self.objectives = Objectives(self.spec)
        self.recorder = Recorder(self.storage, self.log, self.objectives)
        self._judge = Judge(self.spec, self.objectives)
        self._curves = {} if self.objectives.stores_curve else self.log.curves(self.spec.study.curve_metric)
        """What the trials that had ended before were compared by, where Optuna was not told."""
        self._spent = {} if self.objectives.counts is None else self.log.spent(self.objectives.counts)
        """By trial and epoch, how far those were, where that is not counted in epochs."""
        self.asker = Asker(self.spec, self.storage)
        self._recover_all()

    def _recover_all(self) -> None:
        """Take in the trials that are there already."""
        attempts = self.log.attempts()
        for trial in self.storage.all_trials():
            self._recover(trial, attempts.get(trial.number, Attempts()))

    def _recover(self, trial: FrozenTrial, attempts: Attempts) -> None:
        """Take in a trial that is there already; one that ran goes on, since nobody trains it any more."""
        self._note_retry(trial)
        if trial.state == TrialState.RUNNING and OURS not in trial.system_attrs:
            self._foreign.add(trial.number)
            return
        if trial.state == TrialState.RUNNING:
            trial = self.asker.completed(trial)
        if trial.state == TrialState.RUNNING:
            running = self._prepared(trial)
            running.attempt, running.threads, running.idle_attempts, running.device_errors = attempts[:4]
            reports = self.log.reports(trial.number)
            for report in reports:
                self.objectives.take(running, report)
                running.seconds += report.train_seconds + report.eval_seconds
            told_to_wait = attempts.got_on and bool(reports) and PAUSED in reports[-1].details
            running.at_rung = self.promoting is not None and (attempts.at_rung or told_to_wait)
            self._learn(running, running=True, paused=running.at_rung)
            self._wait(running)
        elif trial.state.is_finished():
            self._take_in(trial)

    def _wait(self, running: Running, *, first: bool = False) -> None:
        """Let a trial wait for a worker, before the others or after them, or at its rung where it was told to."""
        if running.at_rung:
            self.paused[running.number] = running
        elif first:
            self._waiting.appendleft(running)
        else:
            self._waiting.append(running)

    def _unpause(self, number: int) -> Running | None:
        """Take a trial from its rung, if it waits at one."""
        return self.paused.pop(number, None)

    def _note_retry(self, trial: FrozenTrial) -> None:
        if RETRIES in trial.user_attrs:
            self.tally.retry(trial.user_attrs[RETRIES])

    def _take_in(self, trial: FrozenTrial) -> None:
        """Count an ended trial with what the database says of it."""
        word = state_word(trial)
        value = main_value(trial) if word == "complete" else None
        curve = self._curve(trial)
        run, planned = len(curve), self.spec.epochs_for(trial.params)
        planned = max(curve, default=0) if IMPORTED in trial.user_attrs else planned
        if trial.number not in self.tally:
            known, spent = planned if self.spec.knows_epochs else None, self._spent.get(trial.number, {})
            whole, imported = value is not None or self._ended_itself(trial), IMPORTED in trial.user_attrs
            self._judge.learn(Curve(trial.number, curve, known, complete=whole, spent=spent, imported=imported))
        planned = planned if trial.user_attrs.get("reason") in STOPPED_EARLY else run
        self._count(trial.number, Ended(word, value, run, planned, IMPORTED in trial.user_attrs))

    def _curve(self, trial: FrozenTrial) -> Mapping[int, float]:
        """By epoch, what an ended trial was compared by."""
        if self.objectives.stores_curve:
            return trial.intermediate_values
        return self._curves.get(trial.number, {})

    def _ended_itself(self, trial: FrozenTrial) -> bool:
        """Whether a trial of a race trained to its end without getting to the target."""
        return self.objectives.target is not None and trial.user_attrs.get("reason") in BY_ITSELF

    def _learn(self, trial: Running, *, complete: bool = False, running: bool = False, paused: bool = False) -> None:
        planned = trial.recipe.epochs if self.spec.knows_epochs else None
        annealed = trial.recipe.annealed
        self._judge.learn(Curve(trial.number, trial.values, planned, complete, running, trial.spent, paused, annealed))

    def _count(self, number: int, ended: Ended) -> None:
        self.tally.note(number, ended)
        self._foreign.discard(number)
        self.just_ended.append(number)
        if not ended.imported:
            self._end_at_target(ended.value)

    def _end_at_target(self, value: float | None) -> None:
        if value is not None and budget.reached(self.spec.budget.target, value, maximize=self.spec.study.maximize):
            self.end = End.TARGET

    @property
    def promoting(self) -> PromotingRule | None:
        """The pruner, where trials wait for it to let them go on."""
        return self._judge.promoting

    @property
    def epochs_run(self) -> int:
        """Epochs that were run, over all trials and starts."""
        going = (*self.running.values(), *self._waiting, *self.paused.values())
        return self.tally.epochs_run + sum(len(running.values) for running in going)

    def _prepared(self, trial: FrozenTrial) -> Running:
        recipe = self.spec.recipe_for(trial.params, trial.user_attrs.get(SPLITS, 0))
        warmup = warmup_epochs(self.spec.study.pruner, recipe)
        audited = trial.user_attrs.get(AUDITED)
        return Running(trial.number, trial._trial_id, recipe, warmup, audited=audited)  # noqa: SLF001

    def keep_orders(self, orders: Orders) -> None:
        """Have what people want on disk, so that another coordinator finds it, before they are told that it is so.

        Raises `StorageError`, and leaves all as it is then.
        """
        if orders != self.orders:
            keep_orders(self._database, self.uuid, orders)
            self.orders = orders

    @property
    def held(self) -> bool:
        """Whether the user paused the study: nothing is handed out, and who trains waits after the next epoch."""
        return self.orders.held

    def account(self, num_slots: int) -> None:
        """Count the time since this was last called, during which it had so many slots.

        A study that waits because people paused it is not active: its `minutes` are for trying.
        """
        now = time.monotonic()
        passed, self.accounted_at = now - self.accounted_at, now
        if not self.held or self.running:
            self.active_seconds += passed
        if self.slot_seconds is not None:
            self.slot_seconds += passed * num_slots

    # The outside.

    def flush(self, *, durable: bool = True) -> list[int]:
        """Write what waits; returns the numbers of trials that were ended from outside, which are forgotten then."""
        if not self.storage.unwritten:
            return []
        self.log.active(self.storage.group, self.active_seconds, self.slot_seconds)
        return self._forget(self.storage.flush(durable=durable))

    def reconcile(self) -> list[int]:
        """Take in what others changed in the database; returns the numbers of trials that they claimed or ended."""
        try:
            changed = self._forget(self.storage.reconcile())
        except StudyGone:
            self.end = End.DELETED
            return self._forget(list(self.running))
        for trial in self.storage.all_trials():
            self._note_retry(trial)
            if trial.state.is_finished() and trial.number not in self.tally:
                self._take_in(trial)
        return changed

    def _forget(self, numbers: list[int]) -> list[int]:
        """Let go of trials that others claimed or ended."""
        trials = self.storage.all_trials() if numbers else []
        for number in numbers:
            self.running.pop(number, None)
            self._unpause(number)
            if trials[number].state.is_finished():
                self._take_in(trials[number])
        self._waiting = self._waiting.without(numbers)
        return numbers
