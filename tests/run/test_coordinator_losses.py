"""The coordinator: hosts that leave or die, and what others do to the database."""

from __future__ import annotations

import optuna
import pytest
from optuna.trial import TrialState

from tests.run.wires import HostWire, WorkerWire, busy_threads, end_outside, started
from tests.store.databases import STUDY, stock, stock_trials, study_spec
from tunefast.run.messages import (
    Assign,
    Dismiss,
    Leave,
    Over,
)
from tunefast.spec.progress import Ending, Verdict
from tunefast.store import studies
from tunefast.store.database import Database

# Leaving.


def test_a_host_that_leaves_pauses_its_trials(database: Database) -> None:
    """Trials of a host that leaves end at their next epoch and go on elsewhere; its idle workers go home at once."""
    coordinator = started(database, cores=2, budget={"trials": 2})
    host, other = HostWire(coordinator, 10, "cpu", "cpu", "cpu"), HostWire(coordinator, 11)
    busy, free, idle = (WorkerWire(coordinator, host, name) for name in ("w1", "w2", "w3"))
    free.report(1, 0.5)
    free.finish()
    assert (busy.idle, free.idle, idle.idle) == (False, True, True)
    host.say(Leave())
    assert free.got(Dismiss) == idle.got(Dismiss) == [Dismiss()]
    assert busy.got(Dismiss) == []
    answer = busy.report(1, 0.25)
    assert (answer.verdict, answer.reason) == (Verdict.PAUSE, "its host leaves")
    heir = WorkerWire(coordinator, other, "w4")
    assert heir.idle
    busy.release()
    assert busy.got(Dismiss) == [Dismiss()]
    assert (heir.assignment.trial, heir.assignment.attempt) == (0, 2)
    for gone in (busy, free, idle, host):
        gone.hang_up()
    heir.report(1, 0.75)
    heir.finish()
    assert other.got(Over) == [Over(study=STUDY, reason="trials")]
    assert stock_trials(database.path)[0].intermediate_values == {1: 0.75}


def test_a_trial_that_ends_anyway_is_not_paused(database: Database) -> None:
    """A host that leaves takes a verdict of the study, and an outcome, as they come."""
    coordinator = started(database, budget={"trials": 2, "target": 0.9})
    host = HostWire(coordinator, 10)
    worker = WorkerWire(coordinator, host, "w1")
    host.say(Leave())
    assert worker.report(1, 0.95).verdict is Verdict.STOP
    worker.finish(reason="target", kept_epoch=1)
    assert worker.got(Dismiss) == [Dismiss()]
    assert host.got(Over) == [Over(study=STUDY, reason="target")]


def test_a_worker_that_starts_while_its_host_leaves_goes_home(database: Database) -> None:
    """A worker that says hello after its host said that it leaves is not kept waiting."""
    coordinator = started(database)
    host = HostWire(coordinator, 10)
    host.say(Leave())
    late = WorkerWire(coordinator, host, "w1")
    assert late.heard == [Dismiss()]


def test_the_last_host_to_leave_ends_the_coordinator(database: Database) -> None:
    """When nobody lends slots any more the coordinator is told, and what it knows is on disk."""
    empty: list[bool] = []
    coordinator = started(database)
    coordinator.on_empty = lambda: empty.append(True)
    one, two = HostWire(coordinator, 10), HostWire(coordinator, 11)
    worker = WorkerWire(coordinator, one, "w1")
    worker.report(1, 0.5)
    two.hang_up()
    assert empty == []
    one.hang_up()
    assert empty == [True]
    assert coordinator.studies == {}
    assert stock_trials(database.path)[0].intermediate_values == {1: 0.5}


@pytest.mark.parametrize("host_first", [True, False])
def test_a_host_that_dies_harms_nobody(database: Database, *, host_first: bool) -> None:
    """When a host dies its trials and threads are free at once, in whatever order its connections end."""
    coordinator = started(database, cores=2)
    studies.create(database, study_spec("other"))
    victim = HostWire(coordinator, 10, "cpu", "cpu")
    other = HostWire(coordinator, 11, study="other", explicit=False)
    workers = [WorkerWire(coordinator, victim, name) for name in ("w1", "w2")]
    waiting = WorkerWire(coordinator, other, "w3")
    assert waiting.idle
    for wire in [victim, *workers] if host_first else [*workers, victim]:
        if wire is workers[0] and host_first:
            assert workers[0].report(1, 0.5).verdict is Verdict.PRUNE
        wire.hang_up()
    assert waiting.assignment.study == "other"
    assert busy_threads(coordinator) == waiting.assignment.threads
    heir = WorkerWire(coordinator, HostWire(coordinator, 12), "w1")
    waiting.finish(Ending.PRUNED)
    assert (heir.assignment.study, heir.assignment.attempt) == (STUDY, 2)


# The outside.


@pytest.mark.parametrize("learn", ["tick", "another's outcome"])
def test_a_trial_failed_from_outside_is_revoked(database: Database, learn: str) -> None:
    """Whoever trains a trial that somebody failed is told at its next report, and then gets another."""
    coordinator = started(database, cores=2, budget={"trials": 4})
    host = HostWire(coordinator, 10, "cpu", "cpu")
    worker, other = WorkerWire(coordinator, host, "w1"), WorkerWire(coordinator, host, "w2")
    worker.report(1, 0.5)
    end_outside(database, 0)
    if learn == "tick":
        coordinator.tick()
    else:
        other.finish(Ending.PRUNED)
    assert worker.report(2, 0.9).verdict is Verdict.PRUNE
    worker.finish(Ending.PRUNED)
    assert worker.assignment.trial > 1
    coordinator.tick()
    trial = stock_trials(database.path)[0]
    assert (trial.state, trial.intermediate_values) == (TrialState.FAIL, {})
    assert busy_threads(coordinator) == 2
    while not host.got(Over):
        for one in (worker, other):
            if not one.idle:
                one.finish(Ending.PRUNED)
    assert len(stock_trials(database.path)) == 4


def test_a_deleted_study_is_over(database: Database) -> None:
    """When somebody deletes the study its host is told, and its workers end their trials."""
    coordinator = started(database)
    host = HostWire(coordinator, 10)
    worker = WorkerWire(coordinator, host, "w1")
    worker.report(1, 0.5)
    with stock(database.path) as storage:
        optuna.delete_study(study_name=STUDY, storage=storage)
    coordinator.tick()
    assert host.got(Over) == [Over(study=STUDY, reason="deleted")]
    assert worker.report(2, 0.5).verdict is Verdict.PRUNE
    worker.finish(Ending.PRUNED)
    assert worker.got(Dismiss) == [Dismiss()]
    assert busy_threads(coordinator) == 0
    with stock(database.path) as storage:
        assert storage.get_all_studies() == []


def test_a_deleted_study_learned_when_a_trial_is_asked_for(database: Database) -> None:
    """Also where an idle worker asks before the clock ticks, the running ones are told."""
    coordinator = started(database)
    host = HostWire(coordinator, 10, "cpu", "cpu")
    worker = WorkerWire(coordinator, host, "w1")
    with stock(database.path) as storage:
        optuna.delete_study(study_name=STUDY, storage=storage)
    assert WorkerWire(coordinator, host, "w2").got(Assign) == []
    assert host.got(Over) == [Over(study=STUDY, reason="deleted")]
    assert worker.report(1, 0.5).verdict is Verdict.PRUNE
