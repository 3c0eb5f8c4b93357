"""Peers of a coordinator in the same process: what they say is received at once, and what they are told is kept."""

from __future__ import annotations

from typing import Any, TypeVar

from optuna.trial import TrialState

from tests.store.databases import STUDY, stock_study, stock_trials, study_spec
from tunefast.run.coordinator import Coordinator
from tunefast.run.messages import (
    Assign,
    Finish,
    HostHello,
    Message,
    Release,
    Reply,
    Report,
    Told,
    WorkerHello,
)
from tunefast.run.peers import Peer
from tunefast.spec.progress import Answer, Assignment, Ending, EpochReport, Outcome, Record
from tunefast.store import studies
from tunefast.store.database import Database

Kind = TypeVar("Kind", bound=Record)


class Wire:
    """A connection to the coordinator."""

    def __init__(self, coordinator: Coordinator) -> None:
        self.coordinator = coordinator
        self.heard: list[Record] = []
        self.peer = Peer(self.heard.append)

    def say(self, message: Message) -> None:
        """Let the coordinator receive a message."""
        self.coordinator.receive(self.peer, message)

    def hang_up(self) -> None:
        """End the connection, as a process that dies."""
        self.coordinator.gone(self.peer)

    def got(self, kind: type[Kind]) -> list[Kind]:
        """What was heard of one kind."""
        return [message for message in self.heard if isinstance(message, kind)]


def busy_threads(coordinator: Coordinator) -> int:
    """Threads that workers compute with."""
    return sum(worker.lease.threads for worker in coordinator.workers if worker.lease is not None)


class HostWire(Wire):
    """A host."""

    def __init__(self, coordinator: Coordinator, pid: int, *devices: str, study: str = STUDY, **words: bool) -> None:
        super().__init__(coordinator)
        self.pid = pid
        self.say(HostHello(pid=pid, study=study, devices=list(devices) or ["cpu"], **{"explicit": True, **words}))


class WorkerWire(Wire):
    """A worker that does one thing at a time."""

    def __init__(self, coordinator: Coordinator, host: HostWire, name: str) -> None:
        super().__init__(coordinator)
        self.say(WorkerHello(host=host.pid, name=name, pid=1000, provenance={"host": "test"}))

    @property
    def assignment(self) -> Assignment:
        """The latest trial it was given."""
        return self.got(Assign)[-1].assignment

    @property
    def idle(self) -> bool:
        """Whether it waits for a trial."""
        return not self.heard or not isinstance(self.heard[-1], Assign | Reply)

    def key(self) -> dict[str, Any]:
        """How it names its trial."""
        given = self.assignment
        return {"study": given.study, "trial": given.trial, "token": given.token}

    def report(self, epoch: int, value: float, metric: str = "score") -> Answer:
        """Report, and return the answer."""
        self.say(Report(**self.key(), report=EpochReport(epoch=epoch, metrics={metric: value})))
        reply = self.got(Reply)[-1]
        assert (reply.trial, reply.token, reply.epoch) == (self.assignment.trial, self.assignment.token, epoch)
        return reply.answer

    def finish(self, ending: Ending = Ending.COMPLETE, **words: Any) -> None:
        """Say the last word on the trial, and hear that it is stored."""
        key, before = self.key(), len(self.got(Told))
        self.say(Finish(**key, outcome=Outcome(ending=ending, **words)))
        told = self.got(Told)[before:]
        assert [(message.trial, message.token) for message in told] == [(key["trial"], key["token"])]

    def release(self) -> None:
        """Give the trial back."""
        self.say(Release(**self.key()))


def started(database: Database, *, cores: int = 4, **settings: Any) -> Coordinator:
    """A coordinator of a database with a study."""
    studies.create(database, study_spec(**settings))
    return Coordinator(database, pid=1, cores=cores)


def end_outside(database: Database, number: int) -> None:
    """Let stock Optuna fail a running trial."""
    with stock_study(database.path) as study:
        study.tell(number, state=TrialState.FAIL)


def states(database: Database) -> list[TrialState]:
    """The states of all trials, read by stock Optuna."""
    return [trial.state for trial in stock_trials(database.path)]
