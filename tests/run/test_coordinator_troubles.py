"""The coordinator: trials that take too much memory, devices that break, disks that are full."""

from __future__ import annotations

import sqlite3

import pytest
from optuna.trial import TrialState

from tests.run.wires import HostWire, WorkerWire, started, states
from tests.store.databases import STUDY, stock_trials
from tunefast.run.coordinator import Coordinator
from tunefast.run.messages import Dismiss, Finish, Over, Release, Told
from tunefast.run.oom import OomKills
from tunefast.spec.progress import Ending, Outcome, Returned, Verdict
from tunefast.store.database import Database


def _peers(coordinator: Coordinator, number: int = 1) -> tuple[HostWire, list[WorkerWire]]:
    host = HostWire(coordinator, 10, *["cpu"] * number)
    return host, [WorkerWire(coordinator, host, f"w{index + 1}") for index in range(number)]


def test_too_much_memory(database: Database) -> None:
    """The trial is pruned with a constraint, so that samplers learn; its worker goes, and gets no other trial."""
    coordinator = started(database, budget={"trials": 2})
    _, (worker,) = _peers(coordinator)
    worker.report(1, 0.9)
    worker.finish(Ending.INFEASIBLE, reason="out of memory", error="CUDA out of memory")
    assert worker.heard[-1] == Dismiss()
    trial = stock_trials(database.path)[0]
    assert trial.state == TrialState.PRUNED
    assert trial.constraints == {"out of memory": 1.0}
    assert coordinator.studies["study"].tally.counts == {"infeasible": 1}
    assert coordinator.studies["study"].tally.best is None


def test_killed_by_the_kernel(database: Database) -> None:
    """A worker that died while the kernel killed for lack of memory had an infeasible trial; else its trial goes on."""
    kills = [7]
    coordinator = started(database, budget={"trials": 2})
    coordinator.oom_kills = OomKills(lambda: kills[0])
    host, (worker,) = _peers(coordinator)
    worker.report(1, 0.5)
    worker.hang_up()
    again = WorkerWire(coordinator, host, "w1")
    assert (again.assignment.trial, again.assignment.attempt) == (0, 2)
    kills[0] += 1
    again.hang_up()
    third = WorkerWire(coordinator, host, "w1")
    assert third.assignment.trial == 1
    third.hang_up()
    fourth = WorkerWire(coordinator, host, "w1")
    assert (fourth.assignment.trial, fourth.assignment.attempt) == (1, 2)
    assert stock_trials(database.path)[0].constraints == {"out of memory": 1.0}


def test_a_broken_device(database: Database) -> None:
    """The trial is tried once more, by another process, and then fails with what the device said."""
    coordinator = started(database, budget={"trials": 2})
    host, (worker,) = _peers(coordinator)
    broken = Returned(why="device", text="CUDA error: device-side assert triggered")
    worker.say(Release(**worker.key(), returned=broken))
    assert worker.heard[-1] == Dismiss()
    worker.hang_up()
    again = WorkerWire(coordinator, host, "w1")
    assert (again.assignment.trial, again.assignment.attempt) == (0, 2)
    again.say(Release(**again.key(), returned=broken))
    assert states(database) == [TrialState.FAIL]
    assert "device-side assert" in stock_trials(database.path)[0].user_attrs["error"]
    again.hang_up()
    assert WorkerWire(coordinator, host, "w1").assignment.trial == 1


@pytest.mark.parametrize("why", ["disk", "data"])
def test_trouble_with_the_machine_pauses_the_study(database: Database, why: str) -> None:
    """Nobody gets another trial, those that run are paused, none fails, and hosts are told what to mend."""
    coordinator = started(database, cores=2, budget={"trials": 4})
    host, (one, other) = _peers(coordinator, 2)
    one.say(Release(**one.key(), returned=Returned.model_validate({"why": why, "text": "the disk is full"})))
    assert host.got(Over) == []
    answer = other.report(1, 0.5)
    assert (answer.verdict, answer.reason) == (Verdict.PAUSE, "paused")
    other.release()
    assert host.got(Over) == [Over(study=STUDY, reason="paused", error="the disk is full")]
    assert states(database) == [TrialState.RUNNING, TrialState.RUNNING]
    again = Coordinator(database, pid=2)
    _, workers = _peers(again, 2)
    assert [worker.assignment.attempt for worker in workers] == [2, 2]


def test_a_full_database_pauses_the_study(database: Database) -> None:
    """An outcome that could not be stored is not acknowledged; the trial goes on when there is space again."""
    coordinator = started(database, budget={"trials": 2})
    host, (worker,) = _peers(coordinator)
    worker.report(1, 0.5)
    coordinator.tick()
    driver = database._connection.connection.driver_connection
    assert driver is not None
    pages = driver.execute("PRAGMA page_count").fetchone()[0]
    driver.execute(f"PRAGMA max_page_count={pages}")
    worker.say(Finish(**worker.key(), outcome=Outcome(ending=Ending.FAILED, error="x" * 100_000)))
    assert worker.got(Told) == []
    coordinator.tick()
    (over,) = host.got(Over)
    assert over.reason == "paused"
    assert "the disk is full" in (over.error or "")
    coordinator.tick()
    assert worker.got(Told) == []
    assert states(database) == [TrialState.RUNNING]
    driver.execute("PRAGMA max_page_count=1000000")
    again = Coordinator(database, pid=2)
    _, (heir,) = _peers(again)
    assert (heir.assignment.trial, heir.assignment.attempt) == (0, 2)
    heir.report(1, 0.5)
    heir.finish()
    assert sqlite3.connect(database.path).execute("PRAGMA integrity_check").fetchone() == ("ok",)
