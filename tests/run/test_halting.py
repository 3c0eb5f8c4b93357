"""Ending a trial within an epoch: who is told to, what the worker makes of it, and how the trial ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from optuna.trial import TrialState

from tests.run.test_driver import TRAINING, assignment, own_threads, say  # noqa: F401
from tests.run.test_worker import TOLD, Script, assign, reply
from tests.run.wires import HostWire, WorkerWire, started, states
from tests.store.databases import STUDY, stock_trials
from tunefast.errors import ProtocolError
from tunefast.run.driver import drive
from tunefast.run.line import Line
from tunefast.run.messages import Dismiss, Finish, Halt, Over, Release
from tunefast.run.trial_channel import TrialChannel
from tunefast.run.worker import Leaving, work
from tunefast.spec.progress import Ending, Outcome, Returned, Verdict
from tunefast.store.database import Database
from tunefast.train.pulse import PULSE, HaltedError

HALT = Halt(trial=3, token=9, reason="enough")


def test_at_the_target_others_are_told_at_once(database: Database) -> None:
    """Who trains on when the target is reached is told so once; a trial without an epoch is pruned, none is lost."""
    coordinator = started(database, budget={"trials": 9, "target": 0.9})
    host = HostWire(coordinator, 10, "cpu", "cpu", "cpu")
    winner, starting, halfway = (WorkerWire(coordinator, host, name) for name in ("w1", "w2", "w3"))
    halfway.report(1, 0.5)
    assert winner.report(1, 0.95).verdict is Verdict.STOP
    assert starting.got(Halt) == []
    winner.finish(reason="target", kept_epoch=1)
    coordinator.tick()
    for worker in (starting, halfway):
        key = worker.key()
        told = Halt(trial=key["trial"], token=key["token"], reason="the study ended: target")
        assert worker.got(Halt) == [told]
    assert winner.got(Halt) == []
    halfway.finish(reason="the study ended: target", kept_epoch=1)
    starting.release()
    assert host.got(Over) == [Over(study=STUDY, reason="target")]
    assert states(database) == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.COMPLETE]
    assert [trial.value for trial in stock_trials(database.path)] == [0.95, None, 0.5]


def test_a_used_up_budget_halts_nobody(database: Database) -> None:
    """Where trials or minutes are used up, what runs is worth its epoch."""
    coordinator = started(database, budget={"trials": 1, "minutes": 60})
    worker = WorkerWire(coordinator, HostWire(coordinator, 10), "w1")
    coordinator.studies[STUDY].active_seconds = 3600.0
    coordinator.tick()
    assert coordinator.studies[STUDY].end is not None
    assert not worker.idle
    assert worker.got(Halt) == []


def _halts_after(beats: int) -> Callable[[], None]:
    """Lets a training do so many steps."""
    start = PULSE.count

    def listen() -> None:
        if PULSE.count - start > beats:
            raise HaltedError("enough")

    return listen


def test_a_training_ends_within_its_epoch() -> None:
    """A halted training counts with the epochs before; one that has none is given back; what follows is not halted."""
    given = assignment("unused").model_copy(update={"recipe": TRAINING})
    ask, told = say()
    start = PULSE.count
    assert drive(given, Line(ask)) == Outcome(ending=Ending.COMPLETE, kept_epoch=3)
    beats = (PULSE.count - start) // 3
    assert beats > 5
    ask, told = say()
    assert drive(given, Line(ask, listen=_halts_after(3))) == Returned()
    assert told == []
    halted = drive(given, Line(ask, listen=_halts_after(beats + 3)))
    assert halted == Outcome(ending=Ending.COMPLETE, reason="enough", kept_epoch=1)
    assert [said.epoch for said in told] == [1]
    PULSE.beat()


def test_early_stopping_keeps_its_epoch() -> None:
    """Of a halted trial that restores its best weights the best epoch counts."""
    recipe = {**TRAINING, "early_stopping": {"monitor": "loss", "mode": "max", "restore_best_weights": True}}
    given = assignment("unused").model_copy(update={"recipe": recipe})
    start = PULSE.count
    drive(given, Line(say()[0]))
    beats = (PULSE.count - start) // 3
    halted = drive(given, Line(say()[0], listen=_halts_after(2 * beats + 2)))
    assert halted == Outcome(ending=Ending.COMPLETE, reason="enough", kept_epoch=1)


class Arriving(Script):
    """A coordinator whose messages have arrived, or not."""

    def has_received(self) -> bool:
        """Whether there are any."""
        return bool(self.says)


def test_what_a_training_listens_to() -> None:
    """Only the halt of its own lease ends a training; a lost coordinator is found out by the next report."""
    given = assign("yields").assignment
    stale = HALT.model_copy(update={"token": 8})
    TrialChannel(Arriving(), given).listen()
    TrialChannel(Arriving(stale, TOLD), given).listen()
    with pytest.raises(HaltedError, match="enough"):
        TrialChannel(Arriving(stale, HALT), given).listen()
    with pytest.raises(ProtocolError, match="'dismiss'"):
        TrialChannel(Arriving(Dismiss()), given).listen()


def test_a_halt_that_comes_too_late() -> None:
    """Between a report and its reply, an outcome and its receipt, or two trials, a halt changes nothing."""
    go = reply(Verdict.CONTINUE)
    script = Script(assign("yields", curve=[0.1]), HALT, go, HALT, TOLD, HALT, Dismiss())
    work(script, Leaving())
    assert [type(message) for message in script.heard][1:] == [Finish]
    paused = Script(assign("yields", curve=[0.1, 0.2]), reply(Verdict.PAUSE), HALT, Dismiss())
    work(paused, Leaving())
    assert [type(message) for message in paused.heard][1:] == [Release]
