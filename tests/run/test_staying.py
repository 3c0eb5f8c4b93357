"""Hosts whose workers stay when a study has ended, and go on with another."""

from __future__ import annotations

import pytest

from tests.run.wires import HostWire, WorkerWire, started
from tests.store.databases import STUDY, study_spec
from tunefast.run.coordinator import Coordinator
from tunefast.run.messages import Dismiss, HostHello, Over, Welcome
from tunefast.spec.sections import Budget
from tunefast.store import studies
from tunefast.store.database import Database

NEXT = "the next"


@pytest.fixture
def coordinator(database: Database) -> Coordinator:
    """Of two studies of one trial each."""
    coordinator = started(database, budget={"trials": 1})
    studies.create(database, study_spec(NEXT, budget={"trials": 1}))
    return coordinator


def staying(coordinator: Coordinator) -> tuple[HostWire, WorkerWire]:
    """A host that may have another study later, with one worker."""
    host = HostWire(coordinator, 10)
    host.say(HostHello(pid=10, study=STUDY, devices=["cpu"], explicit=True, stays=True))
    return host, WorkerWire(coordinator, host, "w1")


def switch(host: HostWire) -> None:
    """Lend the slots to the other study, and to none after it."""
    host.say(HostHello(pid=10, study=NEXT, devices=["cpu"], explicit=True))


def work(worker: WorkerWire) -> None:
    """Train a trial to its end."""
    worker.report(1, 0.5)
    worker.finish()


def test_the_worker_goes_on_with_another_study(coordinator: Coordinator) -> None:
    """It waits when its study has ended, trains for the next one under the same name, and goes home after that."""
    host, worker = staying(coordinator)
    work(worker)
    assert host.got(Over) == [Over(reason="trials", study=STUDY)]
    assert worker.idle
    assert worker.got(Dismiss) == []
    switch(host)
    assert [welcome.workers for welcome in host.got(Welcome)] == [["w1"], ["w1"], ["w1"]]
    assert worker.assignment.study == NEXT
    work(worker)
    assert host.got(Over)[1:] == [Over(reason="trials", study=NEXT)]
    assert [peer.leaving for peer in coordinator.hosts] == [True]
    assert coordinator.studies == {}


def test_others_at_the_study_that_ended(coordinator: Coordinator) -> None:
    """Who comes late to the study that has ended is told so, and the host that decides is not told again."""
    host, worker = staying(coordinator)
    work(worker)
    late = HostWire(coordinator, 11)
    coordinator.tick()
    assert late.got(Over) == [Over(reason="trials", study=STUDY)]
    assert len(host.got(Over)) == 1
    switch(host)
    assert worker.assignment.study == NEXT


def test_a_study_that_is_taken_up_again_meanwhile(coordinator: Coordinator, database: Database) -> None:
    """The worker of a host that decides trains for nobody; a study whose last host left is let go."""
    host, worker = staying(coordinator)
    work(worker)
    studies.extend(database, STUDY, Budget(trials=5))
    other = HostWire(coordinator, 11)
    assert worker.idle
    other.hang_up()
    assert coordinator.studies == {}
    switch(host)
    assert worker.assignment.study == NEXT
    assert set(coordinator.studies) == {NEXT}
