"""LiveStudy: one study while it is being worked on. Hands out trials, answers reports, takes in outcomes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tunefast.errors import StorageError, UserError
from tunefast.search import budget
from tunefast.search.asking import Asker
from tunefast.search.auditing import runs_on
from tunefast.search.budget import End
from tunefast.search.running import MAX_IDLE_ATTEMPTS, Running
from tunefast.search.samplers import covering
from tunefast.search.state import StudyState
from tunefast.spec.progress import (
    AT_RUNG,
    BY_HAND,
    PRUNER,
    RACE,
    TARGET,
    Answer,
    Assignment,
    Ending,
    EpochReport,
    Outcome,
    Verdict,
)
from tunefast.spec.study import StudySpec
from tunefast.store.database import Database, StudyGone
from tunefast.store.epochs import LOST

WHY = {PRUNER: "others are better", RACE: "it cannot win", TARGET: "the target", "early_stopping": "no more progress"}
"""Reasons of outcomes, as people read them."""


class LiveStudy(StudyState):
    """What is done with a study while it is live."""

    def __init__(self, database: Database, name: str) -> None:
        super().__init__(database, name)
        waiting = {each.number for each in (*self._waiting, *self.paused.values())}
        for number in waiting.intersection(self.orders.stopped):  # a coordinator was killed before they had ended
            self.stop_trial(number)

    # Handing out.

    def prepare(self, num: int, then: Callable[[], None]) -> bool:
        """Let the next `num` trials be drawn, within the budget; returns whether `claim` would not have to wait.

        `then` is called when that may have changed, from another thread.
        """
        if self.end is not None or self.held:
            return True
        trials = self.spec.budget.trials
        left = num if trials is None else max(0, trials - self._num_handed_out)
        is_drawn = self.asker.prepare(min(num, left), then)
        return is_drawn or bool(self._waiting) or self._next_promoted() is not None

    def claim(self) -> Running | None:
        """The next trial to train: one that lost its worker, else a new one within the budget, else None.

        Its row and its parameters are in the database when this returns.
        """
        self.check_budget()
        if self.held or self._is_ending or any(running.reached_target for running in self.running.values()):
            return None
        running = self._waiting.next() or self._promoted() or self._new()
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
        """Let a trial wait for a worker, before those that wait already, or at its rung."""
        self._wait(self.running.pop(running.number), first=True)

    def _promoted(self) -> Running | None:
        """A trial that waited at its rung and goes on."""
        number, rule = self._next_promoted(), self.promoting
        audited = self._next_audited() if number is None else None
        chosen = number if number is not None else audited
        running = self._unpause(chosen) if chosen is not None else None
        if running is not None and rule is not None:
            rule.promote(running.number)
            running.at_rung = False
            if audited is not None:
                self.recorder.audits(running, running.epochs)
        return running

    def _next_promoted(self) -> int | None:
        """Who waited at its rung and goes on from there."""
        rule = self.promoting
        if rule is None or not self.paused:
            return None
        number = rule.next(last=self.end is not None, alone=self._nobody_else)
        return number if number in self.paused else None

    def waiting_at_rungs(self) -> list[int]:
        """The trials that wait until they are among the best at their rung, those first that are nearest to that."""
        rule = self.promoting
        return [number for number in rule.waiting() if number in self.paused] if rule is not None else []

    @property
    def _nobody_else(self) -> bool:
        """Whether the study ended, and no trial goes on by itself."""
        return self.end is not None and not self.running and not self._waiting

    def _next_audited(self) -> int | None:
        """At the study's end, a trial that would be stopped at its rung and is drawn to run on."""
        if not self._nobody_else:
            return None
        return next((number for number in self.paused if runs_on(self.spec, self.storage.all_trials()[number])), None)

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
    def num_waiting(self) -> int:
        """Trials that were begun and wait, for a worker or at their rung."""
        return len(self._waiting) + len(self.paused)

    @property
    def _num_handed_out(self) -> int:
        return self.tally.num_trained + len(self.running) + self.num_waiting + len(self._foreign)

    def start(self, running: Running, assignment: Assignment, worker: str, provenance: dict[str, Any]) -> None:
        """Note who trains a claimed trial."""
        running.assignment, running.threads = assignment, assignment.threads
        running.reached_target = False
        running.begun = False
        running.epochs_before = max(running.epochs_before, running.epochs)
        self.log.start(self.storage.group, assignment, worker, provenance)

    # Reports and outcomes.

    def last_epoch(self, number: int) -> int | None:
        """The epoch that a running trial is planned to end with; None where only its training knows."""
        return self.running[number].recipe.epochs if self.spec.knows_epochs else None

    def report(self, number: int, report: EpochReport) -> Answer:
        """Take in what a running trial says after an epoch; returns how it goes on."""
        running = self.running[number]
        lacking = self.objectives.lacking(report)
        if lacking:
            return Answer(verdict=Verdict.STOP, reason=lacking)
        self.recorder.take(running, report)
        running.note_speed(report)
        self.check_budget()
        best = self.tally.best[1] if self.tally.best is not None else None
        answer, numbers = self._judge.answer(running, report, self.spec, self.end, best)
        if answer.reason == PRUNER and runs_on(self.spec, self.storage.get_trial(running.trial_id)):
            self.recorder.audits(running, report.epoch)
            answer = Answer(verdict=Verdict.CONTINUE)
        if running.stopped and answer.verdict in (Verdict.CONTINUE, Verdict.PAUSE):
            running.at_rung = False
            answer = Answer(verdict=Verdict.PRUNE, reason=BY_HAND)
        self.recorder.store(running, report, numbers)
        if running.at_rung:
            self.lately.append(
                f"trial {number} waits after epoch {report.epoch}: of the trials that get there the best go on"
            )
            self._learn(running, running=True, paused=True)
        return answer

    def finish(self, number: int, outcome: Outcome, *, durable: bool = True) -> None:
        """Take in how a running trial ended; it is in the database when this returns, for good if `durable`."""
        running = self.running.pop(number)
        if outcome.reason == BY_HAND:  # with the epochs it had, which make it no result
            outcome = outcome.model_copy(update={"ending": Ending.PRUNED})
        ended, error = self.recorder.outcome(running, outcome)
        self._count(number, ended)
        why = f": {WHY.get(outcome.reason, outcome.reason)}" if outcome.reason else ""
        if self.spec.knows_epochs and running.epochs > running.recipe.epochs:
            why += f", though the spec says epochs = {running.recipe.epochs}, which pruners go by"
        self.lately.append(f"trial {number} {ended.state} after epoch {running.epochs}{why}")
        self._note_error(error if ended.state == Ending.FAILED else None)
        if number not in self.flush(durable=durable):
            whole = ended.state == Ending.COMPLETE or self._ended_itself(self.storage.get_trial(running.trial_id))
            self._learn(running, complete=whole)

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
            reason = AT_RUNG if running.at_rung and paused else reason
            self.log.end(self.storage.group, running.assignment, "paused" if paused else LOST, reason)
            running.assignment = None
        if running.stopped:
            self.finish(number, Outcome(ending=Ending.PRUNED, reason=BY_HAND))
            return
        if not running.at_rung and running.is_poison(paused=paused):
            reason = f"poison: {MAX_IDLE_ATTEMPTS} attempts ended without a new epoch; the last one: {reason}"
            self.finish(number, Outcome(ending=Ending.FAILED, reason=reason))
            return
        self._put_back(running)

    def pause(self, problem: str) -> None:
        """End for now: nothing can be trained, or stored, until people have seen to `problem`."""
        self.end, self.error = End.PAUSED, problem

    # What people want.

    def stop_trial(self, number: int) -> bool:
        """End a trial, pruned; one that trains ends when it hears of it. Returns whether it is being trained.

        Raises `UserError` for a trial that has ended, or that there is not.
        """
        if number in self.running:
            self.keep_orders(self.orders._replace(stopped=tuple({*self.orders.stopped, number})))
            self.running[number].stopped = True
            return True
        running = self._unpause(number) or next((each for each in self._waiting if each.number == number), None)
        if running is None:
            raise UserError(message=f"study {self.name!r}: no trial {number} trains or waits, so there is none to stop")
        self._waiting = self._waiting.without([number])
        self.running[number] = running
        self.finish(number, Outcome(ending=Ending.PRUNED, reason=BY_HAND))
        return False

    # The outside.

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do: the study ended, and no trial runs or still has to."""
        if self.running or self.end is None:
            return False
        left = self._next_promoted() if not self._waiting else None
        return self._is_ending or (not self._waiting and left is None and self._next_audited() is None)

    def settle(self) -> None:
        """End the trials that wait for a worker and will get none, since the study is over."""
        while self.paused and self.end in (End.TRIALS, End.TARGET, End.MINUTES):
            number, running = self.paused.popitem()
            self.running[number] = running
            self.finish(number, Outcome(ending=Ending.PRUNED, reason=PRUNER))
        while self._waiting and self.end in (End.TARGET, End.MINUTES):
            running = self._waiting.popleft()
            self.running[running.number] = running
            self.finish(running.number, Outcome(ending=Ending.PRUNED, reason=budget.ended_by(self.end)))

    def change(self, spec: StudySpec) -> None:
        """Go on under another spec, of which space and budget may differ; trials that run are left alone."""
        if spec.space != self.spec.space:
            self.storage.restate(covering(spec.space, self.storage.all_trials()))
            self.asker.close()
            self.asker = Asker(spec, self.storage)
        self.spec = spec
        self.end = None
        if self.tally.best is not None:
            self._end_at_target(self.tally.best[1])
