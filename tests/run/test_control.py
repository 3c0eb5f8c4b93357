"""What people want of work that goes on: studies that wait or stop, trials and workers that end."""

from __future__ import annotations

from typing import Any

import pytest
from optuna.trial import TrialState

from tests.run.wires import HostWire, Wire, WorkerWire, started, states
from tests.store.databases import STUDY, stock_trials
from tunefast.run.coordinator import Coordinator
from tunefast.run.messages import Assign, Command, Dismiss, Done, Halt, Leave, Over, Quit, Refused, State, Unlend
from tunefast.spec.progress import Ending, Verdict
from tunefast.spec.study import StudySpec
from tunefast.store import studies
from tunefast.store.database import Database

METRIC = "val_accuracy"


def training(database: Database, *, cores: int = 4, trials: int = 10) -> Coordinator:
    """The coordinator of a study of tunefast's own loop, whose trials train for 3 epochs."""
    spec = {
        "study": {"name": STUDY, "sampler": {"name": "random"}, "pruner": {"name": "none"}},
        "budget": {"trials": trials},
        "recipe": {"data": {"name": "digits"}, "model": {"name": "mlp"}, "epochs": 3},
        "space": {"optimizer.lr": {"low": 0.1, "high": 1.0}},
    }
    studies.create(database, StudySpec.model_validate(spec))
    return Coordinator(database, pid=1, cores=cores)


def told(coordinator: Coordinator, verb: Any, study: str = STUDY, **argument: Any) -> dict[str, Any]:
    """What the coordinator answers to a command; the text of a refusal as `refused`."""
    wire = Wire(coordinator)
    wire.say(Command(verb=verb, study=study, argument=argument))
    (answer,) = wire.heard
    if isinstance(answer, Refused):
        return {"refused": answer.message}
    assert isinstance(answer, Done)
    return answer.result


# Studies.


def test_a_paused_study_waits_with_its_workers(database: Database) -> None:
    """Who trains waits after the epoch, nobody begins, workers stay; resumed, trials go on before new ones begin."""
    coordinator = training(database)
    host = HostWire(coordinator, 10, "cpu", "cpu")
    busy, idle = WorkerWire(coordinator, host, "w1"), WorkerWire(coordinator, host, "w2")
    idle.report(1, 0.5, METRIC)
    idle.report(2, 0.5, METRIC)
    idle.report(3, 0.5, METRIC)
    assert told(coordinator, "pause") == {"running": 2, "after_epoch": True}
    idle.finish()
    assert idle.idle
    answer = busy.report(1, 0.25, METRIC)
    assert (answer.verdict, answer.reason) == (Verdict.PAUSE, "the study is paused")
    busy.release()
    for _ in range(3):
        coordinator.tick()
    assert (len(busy.got(Assign)), len(idle.got(Assign))) == (1, 1)
    assert busy.got(Dismiss) == idle.got(Dismiss) == []
    assert host.got(Over) == []
    host.heard.clear()
    coordinator._shown = 0.0
    coordinator.tick()
    assert [state.progress.held for state in host.got(State)] == [True]
    assert told(coordinator, "resume") == {"was_paused": True}
    assert told(coordinator, "resume") == {"was_paused": False}
    given = [(worker.assignment.trial, worker.assignment.attempt) for worker in (busy, idle)]
    assert sorted(given) == [(0, 2), (2, 1)]


def test_own_training_ends_what_it_has_begun(database: Database) -> None:
    """A training that may have kept nothing is not cut off by a pause; its last epoch is an end in any case."""
    coordinator = started(database)
    worker = WorkerWire(coordinator, HostWire(coordinator, 10), "w1")
    told(coordinator, "pause")
    assert worker.report(1, 0.5).verdict is Verdict.CONTINUE
    worker.finish()
    assert worker.idle
    assert len(worker.got(Assign)) == 1


def test_a_stopped_study_is_left_as_by_a_signal(database: Database) -> None:
    """The hosts of that study are told once, and do the rest."""
    coordinator = started(database)
    host, other = HostWire(coordinator, 10), HostWire(coordinator, 11)
    assert told(coordinator, "stop") == {"processes": [10, 11]}
    assert host.got(Quit) == other.got(Quit) == [Quit()]
    for each in (host, other):
        each.say(Leave())
    assert told(coordinator, "stop") == {"refused": f"study '{STUDY}' is being stopped already"}


def test_a_pause_costs_no_minutes(database: Database) -> None:
    """While a study waits its time stands still, so that it is there in the morning; its slots' time goes on."""
    coordinator = started(database, budget={"minutes": 1})
    worker = WorkerWire(coordinator, HostWire(coordinator, 10), "w1")
    study = coordinator.studies[STUDY]
    told(coordinator, "pause")
    worker.report(1, 0.5)
    worker.finish()
    before = study.active_seconds
    study.accounted_at -= 1000.0
    coordinator.tick()
    assert study.active_seconds == before
    assert study.slot_seconds is not None
    assert study.slot_seconds > 1000.0
    assert study.end is None
    told(coordinator, "resume")
    study.accounted_at -= 59.0
    coordinator.tick()
    assert 59.0 <= study.active_seconds < 60.0
    assert not worker.idle


def test_nobody_works_on_it(database: Database) -> None:
    """Commands for a study that is not live are refused in words."""
    coordinator = started(database)
    for verb in ("pause", "resume", "stop", "stop_trial"):
        assert told(coordinator, verb, trial=0) == {"refused": f"nobody works on study '{STUDY}'"}


# Trials.


def test_a_trial_that_trains_is_ended(database: Database) -> None:
    """It is halted, or pruned by its next report, whatever comes first; its slot is free, and it is never the best."""
    coordinator = training(database, trials=3)
    host = HostWire(coordinator, 10, "cpu", "cpu")
    reports, halts = WorkerWire(coordinator, host, "w1"), WorkerWire(coordinator, host, "w2")
    halts.report(1, 0.9, METRIC)
    assert told(coordinator, "stop_trial", trial=0) == {"was_training": True, "at_once": True}
    assert told(coordinator, "stop_trial", trial=1) == {"was_training": True, "at_once": True}
    for worker, number in ((reports, 0), (halts, 1)):
        assert worker.got(Halt) == [Halt(trial=number, token=worker.key()["token"], reason="stopped by hand")]
    answer = reports.report(1, 0.8, METRIC)
    assert (answer.verdict, answer.reason) == (Verdict.PRUNE, "stopped by hand")
    reports.finish(Ending.PRUNED, reason="stopped by hand", kept_epoch=1)
    assert reports.assignment.trial == 2
    halts.finish(reason="stopped by hand", kept_epoch=1)
    assert coordinator.studies[STUDY].tally.best is None
    assert states(database)[:2] == [TrialState.PRUNED, TrialState.PRUNED]
    assert [trial.user_attrs["reason"] for trial in stock_trials(database.path)[:2]] == ["stopped by hand"] * 2


def test_a_trial_without_an_epoch_does_not_come_back(database: Database) -> None:
    """One that is given back since it was halted has ended, and so has one that waited for a worker."""
    coordinator = training(database, trials=2)
    host = HostWire(coordinator, 10, "cpu", "cpu")
    halted, lost = WorkerWire(coordinator, host, "w1"), WorkerWire(coordinator, host, "w2")
    told(coordinator, "stop_trial", trial=0)
    halted.release()
    told(coordinator, "pause")
    lost.hang_up()
    assert told(coordinator, "stop_trial", trial=1) == {"was_training": False, "at_once": True}
    told(coordinator, "resume")
    assert states(database) == [TrialState.PRUNED, TrialState.PRUNED]
    assert host.got(Over) == [Over(study=STUDY, reason="trials")]


def test_a_trial_that_is_not_there(database: Database) -> None:
    """A trial that ended, or never was, is refused in words."""
    coordinator = started(database)
    worker = WorkerWire(coordinator, HostWire(coordinator, 10), "w1")
    worker.report(1, 0.5)
    worker.finish()
    for number in (0, 99):
        problem = f"study '{STUDY}': no trial {number} trains or waits, so there is none to stop"
        assert told(coordinator, "stop_trial", trial=number) == {"refused": problem}


# Workers.


def test_a_worker_is_taken_back(database: Database) -> None:
    """One that trains goes after its epoch, one that is idle at once; the host does not replace it, the others stay."""
    coordinator = training(database, cores=1)
    host = HostWire(coordinator, 10, "cpu", "cpu", "cpu", explicit=False)
    first, second, third = (WorkerWire(coordinator, host, name) for name in ("w1", "w2", "w3"))
    assert [worker.idle for worker in (first, second, third)] == [False, True, True]
    assert told(coordinator, "unlend", "", worker="w3") == {"trial": None, "after_epoch": True}
    assert third.got(Dismiss) == [Dismiss()]
    assert told(coordinator, "unlend", "", worker="w1") == {"trial": 0, "after_epoch": True}
    assert first.got(Dismiss) == []
    assert first.report(1, 0.5, METRIC).verdict is Verdict.PAUSE
    first.release()
    assert first.got(Dismiss) == [Dismiss()]
    assert (second.assignment.trial, second.assignment.attempt) == (0, 2)
    assert host.got(Unlend) == [Unlend(worker="w3"), Unlend(worker="w1")]
    assert [peer.names for peer in coordinator.hosts] == [["w2"]]
    third.hang_up()
    later = HostWire(coordinator, 11, "cpu", "cpu")
    assert [peer.names for peer in coordinator.hosts] == [["w2"], ["w3", "w4"]]  # w1 has not gone yet
    assert later.got(Over) == []


def test_own_training_ends_before_its_worker_goes(database: Database) -> None:
    """What may have kept nothing to go on from is not cut off; its slot counts until its worker has gone."""
    coordinator = started(database)
    host = HostWire(coordinator, 10)
    worker = WorkerWire(coordinator, host, "w1")
    study = coordinator.studies[STUDY]
    assert told(coordinator, "unlend", "", worker="w1") == {"trial": 0, "after_epoch": False}
    assert worker.report(1, 0.5).verdict is Verdict.CONTINUE
    counted = study.slot_seconds or 0.0
    study.accounted_at -= 10.0
    worker.finish()
    assert worker.got(Dismiss) == [Dismiss()]
    worker.hang_up()
    assert study.slot_seconds is not None
    assert study.slot_seconds >= counted + 10.0


@pytest.mark.parametrize("name", ["w9", "w1"])
def test_a_worker_that_is_not_there(database: Database, name: str) -> None:
    """A worker that there is not, or that goes already, is refused with the names of the others."""
    coordinator = started(database)
    host = HostWire(coordinator, 10, "cpu", "cpu")
    for each in ("w1", "w2"):
        WorkerWire(coordinator, host, each)
    told(coordinator, "unlend", "", worker="w1")
    problem = f'there is no worker "{name}" at work; there are: w2'
    assert told(coordinator, "unlend", "", worker=name) == {"refused": problem}
