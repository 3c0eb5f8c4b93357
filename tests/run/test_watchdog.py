"""Workers that hang are ended, and their trials go on; those that are only slow are left alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.run.test_coordinator_clock import Clock
from tests.run.wires import HostWire, WorkerWire, states
from tests.store.databases import study_spec
from tunefast.recipe.recipe import RECIPE
from tunefast.run import timekeeper
from tunefast.run.coordinator import Coordinator
from tunefast.run.leases import Leases
from tunefast.run.messages import Beat, Note
from tunefast.run.watchdog import alarm
from tunefast.search import state
from tunefast.search.running import Running
from tunefast.spec.progress import Ending, Verdict
from tunefast.spec.sections import TrialSection
from tunefast.store import studies
from tunefast.store.database import Database

OWN: dict[str, Any] = {"objective": "a:b"}
OURS: dict[str, Any] = {"data": {"name": "digits"}, "model": {"name": "mlp"}}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the coordinator."""
    clock = Clock()
    monkeypatch.setattr(timekeeper, "time", clock)
    monkeypatch.setattr(state, "time", clock)
    return clock


def _alarm(recipe: dict[str, Any], *, silent: float = 0, still: float = 0, seconds: float = 0, **limits: float) -> Any:
    lease = Leases().grant("s", 0, threads=1, device="cpu")
    lease.silent_seconds, lease.still_seconds = silent, still
    running = Running(0, 1, RECIPE.validate_python(recipe), 3, seconds=seconds)
    found = alarm(lease, running, TrialSection.model_validate(limits))
    return None if found is None else (found.reason, found.ends_trial)


def test_what_raises_an_alarm() -> None:
    """Silence, no step of our own loop, no report where a limit was asked for, and twice the time that a trial has."""
    assert _alarm(OWN, silent=60, still=1e6, seconds=1e6) is None
    assert _alarm(OWN, silent=61) == ("its worker was silent for 60 s", False)
    assert _alarm(OWN, silent=3, lease_seconds=2.0) == ("its worker was silent for 2 s", False)
    assert _alarm(OURS, still=1799) is None
    assert _alarm(OURS, still=1801) == ("its worker did no step for 30 minutes", False)
    assert _alarm(OWN, still=61, stalled_minutes=1.0) == ("its worker did no report for 1 minutes", False)
    assert _alarm(OWN, seconds=119, minutes=1.0) is None
    late = "no epoch ended within 2 times its limit of 1 minutes"
    assert _alarm(OWN, seconds=121, minutes=1.0) == (late, True)


class Played:
    """A coordinator with two workers, a clock that is moved, and a list of the processes that it killed."""

    def __init__(self, database: Database, clock: Clock, **limits: float) -> None:
        spec = study_spec(budget={"trials": 2})
        trial = spec.trial.model_copy(update=limits)
        studies.create(database, spec.model_copy(update={"trial": trial}))
        self.killed: list[int] = []
        self.clock = clock
        self.coordinator = Coordinator(database, pid=1, cores=4, _ticked=clock.now, kill=self.killed.append)
        self.host = HostWire(self.coordinator, 10, "cpu", "cpu")
        self.workers = [WorkerWire(self.coordinator, self.host, name) for name in ("w1", "w2")]

    def tick(self, seconds: float, *beating: WorkerWire, pulse: int = 0) -> None:
        """Let time pass in small steps, in which some workers say that they live."""
        for _ in range(round(seconds / 0.1)):
            self.clock.now += 0.1
            for worker in beating:
                worker.say(Beat(**worker.key(), pulse=pulse))
            self.coordinator.tick()


def test_a_silent_worker_loses_its_trial(database: Database, clock: Clock) -> None:
    """It is killed and people are told; another one has the trial, and what the first one still says is refused."""
    played = Played(database, clock, lease_seconds=2.0)
    silent, alive = played.workers
    alive.finish(Ending.FAILED, error="so that it is free")
    spare = WorkerWire(played.coordinator, played.host, "w1")
    played.tick(1.9)
    assert played.killed == []
    played.tick(0.3)
    assert played.killed == [1000]
    assert [note.text for note in played.host.got(Note)] == ["its worker was silent for 2 s; another one takes it up"]
    heirs = [worker for worker in (alive, spare) if not worker.idle]
    assert [(heir.assignment.trial, heir.assignment.attempt) for heir in heirs] == [(0, 2)]
    answer = silent.report(1, 0.5)
    assert (answer.verdict, answer.reason) == (Verdict.PRUNE, "the trial was ended, or given to another worker")
    silent.hang_up()
    heirs[0].report(1, 0.25)
    heirs[0].finish()
    assert len(states(database)) == 2


def test_one_that_beats_keeps_it(database: Database, clock: Clock) -> None:
    """A worker that says that it lives may take as long as it likes for an epoch, unless it gets no further."""
    played = Played(database, clock, lease_seconds=2.0, stalled_minutes=0.1)
    one, other = played.workers
    for pulse in range(10):
        played.tick(1, one, other, pulse=pulse)
    assert played.killed == []
    played.tick(7, one, other, pulse=9)
    assert played.killed == [1000, 1000]


def test_a_coordinator_that_stood_still(database: Database, clock: Clock) -> None:
    """Time in which the coordinator itself was stopped counts for nobody's lease."""
    played = Played(database, clock, lease_seconds=2.0)
    played.clock.now += 3600
    played.coordinator.tick()
    assert played.killed == []


def test_the_time_limit_of_a_trial(database: Database, clock: Clock) -> None:
    """A trial that trains for longer than it may is complete at its next epoch; one that has none by then fails."""
    played = Played(database, clock, minutes=0.1)
    slow, stuck = played.workers
    played.tick(5, slow, stuck)
    assert slow.report(1, 0.5).verdict is Verdict.CONTINUE
    played.tick(2, slow, stuck)
    answer = slow.report(2, 0.5)
    assert (answer.verdict, answer.reason) == (Verdict.STOP, "time limit")
    slow.finish(reason="time limit", kept_epoch=2)
    played.tick(6, stuck)
    assert played.killed == [1000]
    assert [state.name for state in states(database)] == ["COMPLETE", "FAIL"]
