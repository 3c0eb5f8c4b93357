"""The coordinator: its clock, and what command lines ask of it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.run.wires import HostWire, Wire, WorkerWire, started
from tests.store.databases import STUDY, stock_trials, study_spec
from tunefast.run import timekeeper
from tunefast.run.coordinator import Coordinator
from tunefast.run.messages import (
    Command,
    Done,
    Leave,
    Over,
    Refused,
    State,
)
from tunefast.search import state
from tunefast.spec.progress import Ending, Verdict
from tunefast.store import studies
from tunefast.store.database import Database

# The clock.


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of coordinators that start with ``_ticked=clock.now``."""
    clock = Clock()
    monkeypatch.setattr(timekeeper, "time", clock)
    monkeypatch.setattr(state, "time", clock)
    return clock


def test_a_tick_writes_and_shows(database: Database, clock: Clock) -> None:
    """Reports are on disk after the next tick; hosts see progress four times a second."""
    studies.create(database, study_spec())
    coordinator = Coordinator(database, pid=1, _ticked=clock.now)
    host = HostWire(coordinator, 10)
    worker = WorkerWire(coordinator, host, "w1")
    worker.report(1, 0.5)
    assert stock_trials(database.path)[0].intermediate_values == {}
    coordinator.tick()
    assert stock_trials(database.path)[0].intermediate_values == {1: 0.5}
    assert [state.progress.slots[0].epoch for state in host.got(State)] == [1]
    for _ in range(10):
        clock.now += 0.1
        coordinator.tick()
    assert len(host.got(State)) == 4
    assert coordinator.studies[STUDY].active_seconds == pytest.approx(1.0)


def test_minutes_count_while_the_study_is_live(database: Database, clock: Clock) -> None:
    """Active time adds up over coordinators, and ends the study at the next epoch."""
    studies.create(database, study_spec(budget={"minutes": 1}))
    coordinator = Coordinator(database, pid=1, _ticked=clock.now)
    host = HostWire(coordinator, 10)
    clock.now += 40
    coordinator.tick()
    host.hang_up()
    clock.now += 1000
    again = Coordinator(database, pid=2, _ticked=clock.now)
    host = HostWire(again, 11)
    worker = WorkerWire(again, host, "w1")
    clock.now += 19
    again.tick()
    assert worker.report(1, 0.5).verdict is Verdict.CONTINUE
    clock.now += 1
    again.tick()
    assert worker.report(2, 0.6).verdict is Verdict.STOP
    worker.finish(reason="the study ended: minutes")
    assert host.got(Over) == [Over(study=STUDY, reason="minutes")]


def test_a_study_whose_budget_is_spent_is_over_at_once(database: Database) -> None:
    """Whoever lends slots to a study that is done hears so with the first tick, whether workers came or not."""
    coordinator = started(database, budget={"trials": 1})
    worker = WorkerWire(coordinator, HostWire(coordinator, 10), "w1")
    worker.report(1, 0.5)
    worker.finish()
    late = HostWire(coordinator, 11)
    assert late.got(Over) == []
    coordinator.tick()
    assert late.got(Over) == [Over(study=STUDY, reason="trials")]


# Commands.


def command(wire: Wire, **words: Any) -> Any:
    """The answer to a command."""
    wire.say(Command(**words))
    return wire.heard.pop()


def test_commands_reach_a_live_study(database: Database) -> None:
    """A study can be extended while it runs, and not deleted; others can be created and deleted."""
    coordinator = started(database, budget={"trials": 1})
    host, wire = HostWire(coordinator, 10), Wire(coordinator)
    worker = WorkerWire(coordinator, host, "w1")
    assert command(wire, verb="extend", study=STUDY, argument={"trials": 2}) == Done()
    worker.finish(Ending.PRUNED)
    assert worker.assignment.trial == 1
    refused = command(wire, verb="delete", study=STUDY)
    assert isinstance(refused, Refused)
    assert (refused.error, "is being worked on" in refused.message) == ("UserError", True)
    other = study_spec("other").model_dump(mode="json")
    assert command(wire, verb="create", argument=other) == Done()
    assert command(wire, verb="create", argument=other).error == "StudyExists"
    assert command(wire, verb="delete", study="other") == Done()
    assert command(wire, verb="delete", study="other").error == "StudyNotFound"
    assert command(wire, verb="extend", study="other").error == "StudyNotFound"


def test_workers_are_listed(database: Database) -> None:
    """Every worker is listed with its host, its study, its device and its trial."""
    coordinator = started(database, budget={"trials": 1})
    host = HostWire(coordinator, 10, "cpu", "cpu")
    for name in ("w1", "w2"):
        WorkerWire(coordinator, host, name)
    listed = command(Wire(coordinator), verb="workers")
    assert listed.result["coordinator"] == 1
    common = {"host": 10, "study": STUDY, "device": "cpu", "pid": 1000}
    assert sorted(listed.result["workers"], key=lambda row: str(row["worker"])) == [
        {"worker": "w1", "trial": 0, **common},
        {"worker": "w2", "trial": None, **common},
    ]


def test_what_only_a_coordinator_says_is_ignored(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """A peer that plays coordinator is noted, and nothing happens."""
    coordinator = started(database)
    wire = Wire(coordinator)
    with caplog.at_level(logging.WARNING):
        wire.say(Over(reason="because I say so"))
    wire.say(Leave())
    assert wire.heard == []
    assert "a coordinator got over" in caplog.text
    wire.hang_up()


def test_two_studies_at_once(database: Database) -> None:
    """One coordinator serves several studies; what happens in one is nothing to the other."""
    coordinator = started(database, budget={"trials": 1})
    studies.create(database, study_spec("other"))
    one, two = HostWire(coordinator, 10), HostWire(coordinator, 11, study="other")
    first, second = WorkerWire(coordinator, one, "w1"), WorkerWire(coordinator, two, "w2")
    assert (first.assignment.trial, second.assignment.trial) == (0, 0)
    first.finish(Ending.PRUNED)
    assert one.got(Over) == [Over(study=STUDY, reason="trials")]
    assert two.got(Over) == []
    second.finish(Ending.PRUNED)
    assert second.assignment.trial == 1
