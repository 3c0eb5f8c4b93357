"""The coordinator: who trains what, and whose word counts."""

from __future__ import annotations

from optuna.trial import TrialState

from tests.run.wires import HostWire, WorkerWire, busy_threads, started, states
from tests.store.databases import STUDY, stock_trials, study_spec
from tunefast.run.messages import (
    Assign,
    Dismiss,
    Finish,
    Over,
    Refused,
    Release,
    State,
    Told,
    Welcome,
)
from tunefast.spec.progress import Ending, Outcome, Verdict
from tunefast.store.database import Database

# Coming.


def test_hosts_get_names_for_their_workers(database: Database) -> None:
    """Every slot has a name of its own, the smallest that is free: those of a host that left are given again."""
    coordinator = started(database)
    one, two = HostWire(coordinator, 10, "cpu", "cpu"), HostWire(coordinator, 11)
    assert one.got(Welcome) == [Welcome(pid=1, workers=["w1", "w2"])]
    assert two.got(Welcome) == [Welcome(pid=1, workers=["w3"])]
    one.hang_up()
    assert HostWire(coordinator, 12, "cpu", "cpu", "cpu").got(Welcome)[0].workers == ["w1", "w2", "w4"]


def test_an_unknown_study_is_refused(database: Database) -> None:
    """A host of a study that is not there is told so; nobody else notices."""
    coordinator = started(database)
    lost = HostWire(coordinator, 10, study="studdy")
    assert [(message.error, "Did you mean 'study'" in message.message) for message in lost.got(Refused)] == [
        ("StudyNotFound", True)
    ]
    assert coordinator.studies == {}
    assert WorkerWire(coordinator, HostWire(coordinator, 11), "w1").assignment.trial == 0
    lost.hang_up()
    assert len(coordinator.hosts) == 1


def test_a_worker_gets_a_trial(database: Database) -> None:
    """A trial comes with all that a worker needs, and is in the database before it is sent."""
    coordinator = started(database, seed=5)
    given = WorkerWire(coordinator, HostWire(coordinator, 10, "cpu", "cpu"), "w2").assignment
    [trial] = stock_trials(database.path)
    assert given.recipe["params"] == {"x": trial.params["params.x"]}
    assert (given.study, given.trial, given.attempt, given.threads, given.device) == (STUDY, 0, 1, 2, "cpu")
    assert given.seed == study_spec(seed=5).trial_seed(0)
    assert given.last_epoch == study_spec().epochs_for({})


def test_a_strangers_worker_is_sent_home(database: Database) -> None:
    """A worker whose host nobody knows, or that has a name its host was not given, has nothing to do."""
    coordinator = started(database)
    host = HostWire(coordinator, 10)
    stray = WorkerWire(coordinator, host, "w7")
    host.pid = 99
    orphan = WorkerWire(coordinator, host, "w1")
    assert stray.heard == orphan.heard == [Dismiss()]
    assert coordinator.workers == []


# Training.


def test_a_study_from_beginning_to_end(database: Database) -> None:
    """Workers get trials until the budget is spent; then their host is told where the study stands, and its end."""
    coordinator = started(database, budget={"trials": 5})
    host = HostWire(coordinator, 10, "cpu", "cpu")
    workers = [WorkerWire(coordinator, host, name) for name in ("w1", "w2")]
    while not host.got(Over):
        for worker in workers:
            if not worker.idle:
                assert worker.report(1, 0.1 * worker.assignment.trial).verdict is Verdict.CONTINUE
                worker.finish()
    assert host.heard[-1] == Over(study=STUDY, reason="trials")
    [*_, last] = host.got(State)
    assert (last.progress.counts, last.progress.best_trial) == ({"complete": 5, "running": 0}, 4)
    assert [given.assignment.trial for worker in workers for given in worker.got(Assign)] == [0, 2, 4, 1, 3]
    assert states(database) == [TrialState.COMPLETE] * 5
    assert coordinator.studies == {}
    assert busy_threads(coordinator) == 0


def test_a_stale_token_is_refused(database: Database) -> None:
    """A worker that lost its trial is told to end it, politely, and nothing that it says counts."""
    coordinator = started(database)
    host = HostWire(coordinator, 10, "cpu", "cpu")
    zombie, heir = WorkerWire(coordinator, host, "w1"), WorkerWire(coordinator, host, "w2")
    stale = zombie.key()
    coordinator._take_back(STUDY, 0, "somebody thought it was dead")
    heir.finish(Ending.FAILED, error="x")
    assert (heir.assignment.trial, heir.assignment.attempt) == (0, 2)
    assert heir.assignment.token > stale["token"]
    answer = zombie.report(1, 0.9)
    assert answer.verdict is Verdict.PRUNE
    assert "given to another worker" in answer.reason
    heir.report(1, 0.1)
    zombie.say(Finish(**stale, outcome=Outcome(ending=Ending.COMPLETE)))
    assert zombie.got(Told) == [Told(trial=0, token=stale["token"])]
    zombie.say(Release(**stale))
    heir.report(2, 0.2)
    heir.finish()
    trial = stock_trials(database.path)[0]
    assert (trial.state, trial.value, trial.intermediate_values) == (TrialState.COMPLETE, 0.2, {1: 0.1, 2: 0.2})
    assert zombie.assignment.trial != 0, "it is of use again"


def test_a_dead_workers_trial_goes_on(database: Database) -> None:
    """When a worker dies the next one goes on with its trial, before any new one."""
    coordinator = started(database)
    host = HostWire(coordinator, 10, "cpu", "cpu")
    victim, other = WorkerWire(coordinator, host, "w1"), WorkerWire(coordinator, host, "w2")
    victim.report(1, 0.5)
    victim.hang_up()
    replacement = WorkerWire(coordinator, host, "w1")
    assert (replacement.assignment.trial, replacement.assignment.attempt) == (0, 2)
    assert replacement.assignment.token > other.assignment.token > victim.assignment.token
    assert replacement.assignment.seed == victim.assignment.seed
    replacement.report(1, 0.75)
    replacement.finish()
    assert replacement.assignment.trial == 2
    assert stock_trials(database.path)[0].intermediate_values == {1: 0.75}


def test_a_deadly_trial_is_given_up(database: Database) -> None:
    """A trial that kills worker after worker fails, and the others are trained."""
    coordinator = started(database, budget={"trials": 2})
    host = HostWire(coordinator, 10)
    for _ in range(5):
        worker = WorkerWire(coordinator, host, "w1")
        assert worker.assignment.trial == 0
        worker.hang_up()
    last = WorkerWire(coordinator, host, "w1")
    assert last.assignment.trial == 1
    last.report(1, 0.5)
    last.finish()
    assert host.got(Over) == [Over(study=STUDY, reason="trials")]
    assert states(database) == [TrialState.FAIL, TrialState.COMPLETE]


def test_the_first_errors_end_the_study(database: Database) -> None:
    """Where the first trials all fail alike the host is told with what."""
    coordinator = started(database)
    host = HostWire(coordinator, 10)
    worker = WorkerWire(coordinator, host, "w1")
    for _ in range(3):
        worker.finish(Ending.FAILED, error="ValueError: bad")
    assert host.got(Over) == [Over(study=STUDY, reason="failing", error="ValueError: bad")]


# Threads and devices.


def test_no_more_trials_than_cores(database: Database) -> None:
    """Slots beyond the cores wait, unless the user asked for so many; they train as soon as there is room."""
    coordinator = started(database, cores=2)
    host = HostWire(coordinator, 10, "cpu", "cpu", explicit=False)
    guest = HostWire(coordinator, 11, "cpu", explicit=False)
    one, two = (WorkerWire(coordinator, host, name) for name in ("w1", "w2"))
    three = WorkerWire(coordinator, guest, "w3")
    assert [worker.idle for worker in (one, two, three)] == [False, False, True]
    assert (one.assignment.threads, two.assignment.threads) == (1, 1)
    one.finish(Ending.PRUNED)
    assert not three.idle
    assert one.idle
    two.hang_up()
    assert not one.idle


def test_a_gpu_trains_one_trial_at_a_time(database: Database) -> None:
    """Two commands that lend the same GPU take turns on it."""
    coordinator = started(database)
    hosts = [HostWire(coordinator, pid, "cuda:0", explicit=False) for pid in (10, 11)]
    one, two = (WorkerWire(coordinator, host, name) for host, name in zip(hosts, ("w1", "w2"), strict=True))
    assert one.assignment.device == "cuda:0"
    assert two.idle
    one.finish(Ending.PRUNED)
    assert not two.idle
    assert one.idle
