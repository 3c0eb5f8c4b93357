"""LiveStudy: one study while it is being worked on. Hands out trials, answers reports, takes in outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from tunefast.errors import StorageError
from tunefast.search import budget
from tunefast.search.asking import Asker
from tunefast.search.budget import End, FirstErrors
from tunefast.search.pruning import Curve, warmup_epochs
from tunefast.search.recording import Recorder
from tunefast.search.running import MAX_IDLE_ATTEMPTS, Running
from tunefast.search.samplers import covering
from tunefast.search.tally import Ended, Tally
from tunefast.search.verdicts import Judge
from tunefast.search.waiting import WaitingTrials
from tunefast.spec.progress import (
    STOPPED_EARLY,
    Answer,
    Assignment,
    Ending,
    EpochReport,
    Outcome,
    Verdict,
)
from tunefast.spec.study import StudySpec
from tunefast.store.database import Database, StudyGone
from tunefast.store.epochs import LOST, Attempts, TrialLog
from tunefast.store.rows import IMPORTED, OURS, RETRIES, SPLITS, state_word
from tunefast.store.studies import find
from tunefast.store.trials import MirroredStorage


class LiveStudy:
    """One study, in memory, with every change on its way to the database.

    The caller owns the database. Raises `StudyNotFound` or `StudyNotOurs`.
    """

    def __init__(self, database: Database, name: str) -> None:
        with database.transaction() as connection:
            stored = find(connection, name, database.path)
        self.name = name
        self.uuid = stored.uuid
        self.spec = stored.spec
        self.storage = MirroredStorage(database, name, stored.uuid)
        self.log = TrialLog(database, stored.uuid)
        self.active_seconds = stored.active_seconds
        self.end: End | None = None
        self.running: dict[int, Running] = {}
        self.tally = Tally(maximize=self.spec.study.maximize)
        self.just_ended: list[int] = []
        """Trials that have ended and whose files nobody has looked at since."""
        self._foreign: set[int] = set()
        """Running trials that somebody else trains, with stock Optuna."""
        self.error: str | None = None
        """What the first trials failed with, or what is wrong with the machine, where the study ended for that."""
        self._waiting = WaitingTrials()
        self._first_errors = FirstErrors()
        self.recorder = Recorder(self.storage, self.log, self.spec.study.metric)
        self._judge = Judge(self.spec)
        self.asker = Asker(self.spec, self.storage)
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
            running.values.update(trial.intermediate_values)
            running.attempt, running.threads, running.idle_attempts, running.device_errors = attempts
            self._learn(running.number, running.values, running.recipe.epochs)
            running.seconds = sum(said.train_seconds + said.eval_seconds for said in self.log.reports(trial.number))
            self._waiting.append(running)
        elif trial.state.is_finished():
            self._take_in(trial)

    def _note_retry(self, trial: FrozenTrial) -> None:
        if RETRIES in trial.user_attrs:
            self.tally.retry(trial.user_attrs[RETRIES])

    def _take_in(self, trial: FrozenTrial) -> None:
        """Count an ended trial with what the database says of it."""
        value = trial.value if trial.state == TrialState.COMPLETE else None
        run, planned = len(trial.intermediate_values), self.spec.epochs_for(trial.params)
        planned = max(trial.intermediate_values, default=0) if IMPORTED in trial.user_attrs else planned
        if trial.number not in self.tally:
            self._learn(trial.number, trial.intermediate_values, planned, complete=value is not None)
        planned = planned if trial.user_attrs.get("reason") in STOPPED_EARLY else run
        self._count(trial.number, Ended(state_word(trial), value, run, planned, IMPORTED in trial.user_attrs))

    def _learn(self, number: int, values: Mapping[int, float], planned: int, *, complete: bool = False) -> None:
        self._judge.learn(Curve(number, values, planned if self.spec.knows_epochs else None, complete))

    def _count(self, number: int, ended: Ended) -> None:
        self.tally.note(number, ended)
        self._foreign.discard(number)
        self.just_ended.append(number)
        if not ended.imported:
            self._end_at_target(ended.value)

    def _end_at_target(self, value: float | None) -> None:
        if value is not None and budget.reached(self.spec.budget.target, value, maximize=self.spec.study.maximize):
            self.end = End.TARGET

    # Handing out.

    def claim(self) -> Running | None:
        """The next trial to train: one that lost its worker, else a new one within the budget, else None.

        Its row and its parameters are in the database when this returns.
        """
        self.check_budget()
        if self._is_ending or any(running.reached_target for running in self.running.values()):
            return None
        running = self._waiting.next() or self._new()
        if running is None:
            return None
        self.running[running.number] = running
        try:
            self.flush(durable=False)  # after a power cut the same trial is asked for again
        except StorageError:
            self._put_back(running)
            raise
        running.attempt += 1
        return running

    def put_back(self, running: Running) -> None:
        """Take back a trial that was claimed and could not be handed out."""
        running.attempt -= 1
        self._put_back(running)

    def _put_back(self, running: Running) -> None:
        """Let a trial wait for a worker, before those that wait already."""
        self._waiting.appendleft(self.running.pop(running.number))

    def _new(self) -> Running | None:
        """A new trial within the budget, else None; also where its parameters make no recipe, so that it failed."""
        if self.end is not None:
            return None
        try:
            trial = self.asker.new()
        except StudyGone:
            self.reconcile()
            return None
        if not trial.state.is_finished():
            return self._prepared(trial)
        self._take_in(trial)
        self._note_error(trial.user_attrs["error"])
        self.flush()
        return None

    def check_budget(self) -> None:
        """End the study where a limit is used up, or nothing is left to try."""
        if not self._is_ending:
            spent = budget.spent(self.spec.budget, self._num_handed_out, self.active_seconds)
            self.end = spent or (End.TRIALS if self.asker.exhausted else None)

    @property
    def _is_ending(self) -> bool:
        """Whether the study ended so that the trials which still run end as well."""
        return self.end is not None and self.end.stops_running_trials

    @property
    def _num_handed_out(self) -> int:
        return self.tally.num_trained + len(self.running) + len(self._waiting) + len(self._foreign)

    @property
    def epochs_run(self) -> int:
        """Epochs that were run, over all trials and starts."""
        return self.tally.epochs_run + sum(len(running.values) for running in (*self.running.values(), *self._waiting))

    def _prepared(self, trial: FrozenTrial) -> Running:
        recipe = self.spec.recipe_for(trial.params, trial.user_attrs.get(SPLITS, 0))
        warmup = warmup_epochs(self.spec.study.pruner, recipe)
        return Running(trial.number, trial._trial_id, recipe, warmup)  # noqa: SLF001

    def start(self, running: Running, assignment: Assignment, worker: str, provenance: dict[str, Any]) -> None:
        """Note who trains a claimed trial."""
        running.assignment, running.threads = assignment, assignment.threads
        running.reached_target = False
        running.begun = False
        running.epochs_before = max(running.epochs_before, running.epochs)
        self.log.start(self.storage.group, assignment, worker, provenance)

    # Reports and outcomes.

    def report(self, number: int, report: EpochReport) -> Answer:
        """Take in what a running trial says after an epoch; returns how it goes on."""
        running = self.running[number]
        metric = self.spec.study.metric
        if metric not in report.metrics:
            known = ", ".join(sorted(report.metrics))
            return Answer(verdict=Verdict.STOP, reason=f"{metric!r} is not among the reported metrics: {known}")
        self.recorder.take(running, report)
        self.check_budget()
        answer, decision = self._judge.answer(running, report, self.spec, self.end)
        self.recorder.store(running, report, decision)
        return answer

    def finish(self, number: int, outcome: Outcome) -> None:
        """Take in how a running trial ended; it is in the database when this returns."""
        running = self.running.pop(number)
        ended, error = self.recorder.outcome(running, outcome)
        self._count(number, ended)
        self._note_error(error if ended.state == Ending.FAILED else None)
        if number not in self.flush():
            self._learn(number, running.values, running.recipe.epochs, complete=ended.state == Ending.COMPLETE)

    def _note_error(self, error: str | None) -> None:
        """Stop the study where all of its first trials failed in the same way: what is wrong is not the recipe."""
        if self._first_errors.all_same(error) and not self._is_ending:
            self.end = End.FAILING
            self.error = error

    def release(self, number: int, reason: str, *, paused: bool = False) -> None:
        """Take back a trial whose worker died, or paused it: it goes on under the same number, before new ones.

        One whose attempt got nowhere lets others go first.
        """
        running = self.running[number]
        if running.assignment is not None:
            self.log.end(self.storage.group, running.assignment, "paused" if paused else LOST, reason)
            running.assignment = None
        if running.is_poison(paused=paused):
            reason = f"poison: {MAX_IDLE_ATTEMPTS} attempts ended without a new epoch; the last one: {reason}"
            self.finish(number, Outcome(ending=Ending.FAILED, reason=reason))
            return
        self._put_back(running)

    def pause(self, problem: str) -> None:
        """End for now: nothing can be trained, or stored, until people have seen to `problem`."""
        self.end, self.error = End.PAUSED, problem

    # The outside.

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do: the study ended, and no trial runs or still has to."""
        over = self._is_ending or (self.end is not None and not self._waiting)
        return over and not self.running

    def settle(self) -> None:
        """End the trials that wait for a worker and will get none, since the study is over."""
        while self._waiting and self.end in (End.TARGET, End.MINUTES):
            running = self._waiting.popleft()
            self.running[running.number] = running
            self.finish(running.number, Outcome(ending=Ending.PRUNED, reason=f"the study ended: {self.end}"))

    def change(self, spec: StudySpec) -> None:
        """Go on under another spec, of which space and budget may differ; trials that run are left alone."""
        if spec.space != self.spec.space:
            self.storage.restate(covering(spec.space, self.storage.all_trials()))
            self.asker = Asker(spec, self.storage)
        self.spec = spec
        self.end = None
        if self.tally.best is not None:
            self._end_at_target(self.tally.best[1])

    def flush(self, *, durable: bool = True) -> list[int]:
        """Write what waits; returns the numbers of trials that were ended from outside, which are forgotten then."""
        if not self.storage.unwritten:
            return []
        self.log.active(self.storage.group, self.active_seconds)
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
            if trials[number].state.is_finished():
                self._take_in(trials[number])
        self._waiting = self._waiting.without(numbers)
        return numbers
