"""The coordinator of processes: outcomes are put on disk, while their workers go on, before anybody is told."""

from __future__ import annotations

import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from optuna.trial import TrialState

from tests.run.wires import HostWire, WorkerWire, states
from tests.store.databases import STUDY, stock_trials, study_spec
from tunefast.run.coordinator import Coordinator
from tunefast.run.messages import Assign, Finish, Over, Told
from tunefast.spec.progress import CHECKPOINTS, Ending, Outcome, Verdict
from tunefast.store import studies, syncing
from tunefast.store.database import Database

SECONDS = 5


class Loop:
    """The coordinator's thread, which does what other threads ask it to."""

    def __init__(self) -> None:
        self.asked: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def until(self, condition: Callable[[], Any]) -> None:
        """Do what is asked until something is true."""
        while not condition():
            self.asked.get(timeout=SECONDS)()


class Disk:
    """A disk that takes its time."""

    def __init__(self) -> None:
        self.at_work = threading.Semaphore(0)
        self.done = threading.Semaphore(0)
        self.error: OSError | None = None

    def sync(self, _file: int) -> None:
        """What stands in for fdatasync."""
        self.at_work.release()
        assert self.done.acquire(timeout=SECONDS)
        if self.error is not None:
            raise self.error


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The disk that outcomes wait for."""
    disk = Disk()
    monkeypatch.setattr(syncing, "_sync", disk.sync)
    return disk


@pytest.fixture
def loop() -> Loop:
    """The coordinator's thread."""
    return Loop()


@pytest.fixture
def coordinator(database: Database, loop: Loop, disk: Disk) -> Iterator[Coordinator]:
    """A coordinator that has a loop, and a study of three trials."""
    studies.create(database, study_spec(budget={"trials": 3}))
    yield Coordinator(database, pid=1, cores=2, later=loop.asked.put)
    disk.done.release(100)


def begin(coordinator: Coordinator, loop: Loop) -> tuple[HostWire, WorkerWire]:
    """A host and its worker, which has its first trial."""
    host = HostWire(coordinator, 10)
    worker = WorkerWire(coordinator, host, "w1")
    loop.until(lambda: worker.got(Assign))
    return host, worker


def finish(worker: WorkerWire) -> Finish:
    """Say the last word on the worker's trial, without hearing anything yet."""
    worker.report(1, 0.5)
    said = Finish(**worker.key(), outcome=Outcome(ending=Ending.COMPLETE, kept_epoch=1))
    worker.say(said)
    return said


def test_the_next_trial_does_not_wait_for_the_disk(
    coordinator: Coordinator, database: Database, loop: Loop, disk: Disk
) -> None:
    """A worker has its next trial, and is answered, while the outcome before is put on disk; then it is told."""
    _, worker = begin(coordinator, loop)
    finish(worker)
    loop.until(lambda: len(worker.got(Assign)) == 2)
    assert disk.at_work.acquire(timeout=SECONDS)
    assert worker.report(1, 0.25).verdict is Verdict.CONTINUE
    assert worker.got(Told) == []
    disk.done.release()
    loop.until(lambda: worker.got(Told))
    assert [told.trial for told in worker.got(Told)] == [0]
    assert states(database) == [TrialState.COMPLETE, TrialState.RUNNING]


def test_an_outcome_whose_receipt_never_came(
    coordinator: Coordinator, database: Database, loop: Loop, disk: Disk
) -> None:
    """Told again, it is recorded once, and acknowledged no sooner than it is on disk."""
    _, worker = begin(coordinator, loop)
    said = finish(worker)
    assert disk.at_work.acquire(timeout=SECONDS)
    worker.say(said.model_copy(update={"outcome": Outcome(ending=Ending.FAILED, error="again")}))
    assert worker.got(Told) == []
    disk.done.release(2)
    loop.until(lambda: len(worker.got(Told)) == 2)
    first = stock_trials(database.path)[0]
    assert (first.state, first.value) == (TrialState.COMPLETE, 0.5)


def test_a_coordinator_that_dies_before_it_acknowledges(
    coordinator: Coordinator, database: Database, loop: Loop, disk: Disk, tmp_path: Path
) -> None:
    """Killed while the disk is at work it leaves the outcome: the next one neither runs nor counts the trial again."""
    _, worker = begin(coordinator, loop)
    finish(worker)
    loop.until(lambda: len(worker.got(Assign)) == 2)
    assert disk.at_work.acquire(timeout=SECONDS)
    left = tmp_path / "left"
    left.mkdir()
    subprocess.run(["cp", database.path, f"{database.path}-wal", left], check=True)  # see `man fcntl` for why not here
    assert worker.got(Told) == []
    again = Database(left / database.path.name)
    heir = Coordinator(again, pid=2)
    taken = WorkerWire(heir, HostWire(heir, 11), "w1")
    assert taken.assignment.trial == 1
    assert heir.studies[STUDY].tally.counts["complete"] == 1
    again.close()


def test_a_disk_that_breaks_under_an_outcome(
    coordinator: Coordinator, database: Database, loop: Loop, disk: Disk
) -> None:
    """Nothing is acknowledged: the study pauses, as for a full disk, and says why."""
    host, worker = begin(coordinator, loop)
    disk.error = OSError(5, "Input/output error")
    finish(worker)
    loop.until(lambda: len(worker.got(Assign)) == 2)
    disk.done.release()
    loop.until(lambda: coordinator.studies[STUDY].end is not None)
    assert worker.report(1, 0.5).verdict is Verdict.PAUSE
    worker.release()
    (over,) = host.got(Over)
    assert over.reason == "paused"
    assert "Input/output error" in (over.error or "")
    assert worker.got(Told) == []
    assert states(database) == [TrialState.COMPLETE, TrialState.RUNNING]


def checkpointed(coordinator: Coordinator, number: int) -> Path:
    """A checkpoint of a trial."""
    place = coordinator.retention[STUDY].trials / str(number) / CHECKPOINTS
    place.mkdir(parents=True)
    return place


def kept_checkpoints(coordinator: Coordinator, num: int) -> None:
    """Let so many of the trials that ended keep their checkpoints."""
    study = coordinator.studies[STUDY]
    study.spec = study.spec.model_copy(update={"trial": study.spec.trial.model_copy(update={"kept_checkpoints": num})})


def test_checkpoints_stay_until_the_outcome_is_on_disk(
    coordinator: Coordinator, database: Database, loop: Loop, disk: Disk
) -> None:
    """What a power cut takes of an outcome can be trained again from there; then they are deleted."""
    _, worker = begin(coordinator, loop)
    kept_checkpoints(coordinator, 0)
    place = checkpointed(coordinator, 0)
    finish(worker)
    loop.until(lambda: len(worker.got(Assign)) == 2)
    assert disk.at_work.acquire(timeout=SECONDS)
    coordinator.tick()
    coordinator.tick()
    assert states(database)[0] == TrialState.COMPLETE
    assert place.exists()
    disk.done.release(100)
    loop.until(lambda: not place.exists())


def test_a_study_that_ends_leaves_no_checkpoints_to_be_deleted(
    coordinator: Coordinator, loop: Loop, disk: Disk
) -> None:
    """Its last rows are on disk before it is put away, and so are all outcomes before them."""
    _, worker = begin(coordinator, loop)
    kept_checkpoints(coordinator, 0)
    places = [checkpointed(coordinator, number) for number in range(3)]
    for number in range(3):
        loop.until(lambda number=number: len(worker.got(Assign)) > number)  # type: ignore[misc]
        finish(worker)
    assert STUDY not in coordinator.studies
    assert not any(place.exists() for place in places)
    disk.done.release(100)
    loop.until(lambda: len(worker.got(Told)) == 3)


@pytest.mark.parametrize("breaks", ["disk", "database"])
def test_checkpoints_of_an_outcome_that_is_not_on_disk_stay(
    coordinator: Coordinator, database: Database, loop: Loop, disk: Disk, breaks: str
) -> None:
    """The study is put away without them being touched, whatever the disk says later: its trials may go on there."""
    host, worker = begin(coordinator, loop)
    kept_checkpoints(coordinator, 0)
    place = checkpointed(coordinator, 0)
    driver = database._connection.connection.driver_connection
    assert driver is not None
    if breaks == "disk":
        disk.error = OSError(5, "Input/output error")
        finish(worker)
        loop.until(lambda: len(worker.got(Assign)) == 2)
        disk.done.release()
        loop.until(lambda: coordinator.studies[STUDY].end is not None)
        disk.error = None  # what it lost it has lost
    else:
        driver.execute(f"PRAGMA max_page_count={driver.execute('PRAGMA page_count').fetchone()[0]}")
        worker.report(1, 0.5)
        worker.say(Finish(**worker.key(), outcome=Outcome(ending=Ending.FAILED, error="x" * 100_000)))
    disk.done.release(100)
    coordinator.tick()
    worker.hang_up()
    host.hang_up()
    assert STUDY not in coordinator.studies
    assert place.exists()


def test_a_database_that_fills_up_while_the_disk_is_at_work(
    coordinator: Coordinator, database: Database, loop: Loop, disk: Disk
) -> None:
    """The outcome before is acknowledged, since it is there; the one for which there is no room is not."""
    host, worker = begin(coordinator, loop)
    finish(worker)
    loop.until(lambda: len(worker.got(Assign)) == 2)
    coordinator.tick()
    driver = database._connection.connection.driver_connection
    assert driver is not None
    driver.execute(f"PRAGMA max_page_count={driver.execute('PRAGMA page_count').fetchone()[0]}")
    worker.say(Finish(**worker.key(), outcome=Outcome(ending=Ending.FAILED, error="x" * 100_000)))
    disk.done.release(10)
    loop.until(lambda: worker.got(Told))
    coordinator.tick()
    assert [told.trial for told in worker.got(Told)] == [0]
    (over,) = host.got(Over)
    assert over.reason == "paused"
    assert states(database) == [TrialState.COMPLETE, TrialState.RUNNING]


def test_a_database_that_is_locked_while_the_disk_is_at_work(
    coordinator: Coordinator, database: Database, loop: Loop, disk: Disk
) -> None:
    """The second outcome waits for the database, then for the disk, and both are acknowledged in order."""
    _, worker = begin(coordinator, loop)
    finish(worker)
    loop.until(lambda: len(worker.got(Assign)) == 2)
    driver = database._connection.connection.driver_connection
    assert driver is not None
    driver.execute("PRAGMA busy_timeout=10")
    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        finish(worker)
        other.execute("ROLLBACK")
    assert states(database) == [TrialState.COMPLETE, TrialState.RUNNING]
    coordinator.tick()
    loop.until(lambda: len(worker.got(Assign)) == 3)
    assert worker.got(Told) == []
    disk.done.release(3)
    loop.until(lambda: len(worker.got(Told)) == 2)
    assert [told.trial for told in worker.got(Told)] == [0, 1]
    assert states(database) == [TrialState.COMPLETE, TrialState.COMPLETE, TrialState.RUNNING]
