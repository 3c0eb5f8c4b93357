"""The coordinator: the one process that owns a database's live studies. Asks, assigns, prunes, tells, writes.

`tunefast.run.server` connects it to the hosts and workers of this machine.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tunefast.errors import TunefastError
from tunefast.run import commands, slots
from tunefast.run.leases import Leases
from tunefast.run.messages import (
    Assign,
    Command,
    Dismiss,
    Done,
    Finish,
    HostHello,
    Leave,
    Message,
    Over,
    Refused,
    Release,
    Reply,
    Report,
    State,
    Told,
    Welcome,
    WorkerHello,
)
from tunefast.run.peers import Host, Peer, Send, Worker
from tunefast.run.progress import progress_of
from tunefast.search.budget import End
from tunefast.search.live import LiveStudy
from tunefast.spec.progress import Answer, Assignment, Verdict
from tunefast.store.database import Database

TICK_SECONDS = 0.1
"""Reports are on disk at most this long after they were answered."""
SHOW_SECONDS = 0.25

log = logging.getLogger("tunefast.coordinator")


@dataclass
class Coordinator:
    """What the coordinator knows. Takes messages in, sends messages out; reads no socket and no clock but its own."""

    database: Database
    pid: int
    cores: int = field(default_factory=slots.num_cores)
    studies: dict[str, LiveStudy] = field(default_factory=dict)
    hosts: list[Host] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    leases: Leases = field(default_factory=Leases)
    on_empty: Callable[[], None] = lambda: None
    """Called when the last host has left."""
    _ticked: float = field(default_factory=time.monotonic)
    _shown: float = 0.0

    # Messages.

    def receive(self, peer: Peer, message: Message) -> None:
        """Act on a message. What a hello or a command does wrong is refused, and harms nobody else."""
        match message:
            case Report():
                self._report(peer.send, message)
            case Finish():
                self._finish(peer, message)
            case Release():
                self._release(peer, message)
            case WorkerHello():
                self._worker_hello(peer, message)
            case HostHello() | Command():
                try:
                    peer.send(
                        self._host_hello(peer, message) if isinstance(message, HostHello) else self._command(message)
                    )
                except TunefastError as error:
                    peer.send(Refused(error=type(error).__name__, message=str(error)))
            case Leave():
                self._leave(peer)
            case _:
                log.warning("a coordinator got %s", message.kind)
        self._assign()

    def _host_hello(self, peer: Peer, hello: HostHello) -> Welcome:
        if hello.study not in self.studies:
            self.studies[hello.study] = LiveStudy(self.database, hello.study)
            log.info("study %r is live", hello.study)
        taken = {name for host in self.hosts for name in host.names}
        free = (f"w{number}" for number in range(1, len(taken) + len(hello.devices) + 1))
        names = [name for name in free if name not in taken][: len(hello.devices)]
        lent = slots.Lent(hello.devices, hello.explicit)
        peer.role = Host(peer.send, hello.pid, hello.study, lent, names)
        self.hosts.append(peer.role)
        log.info("host %d lends %s to %r", hello.pid, names, hello.study)
        return Welcome(pid=self.pid, workers=names)

    def _worker_hello(self, peer: Peer, hello: WorkerHello) -> None:
        host = next((host for host in self.hosts if host.pid == hello.host and hello.name in host.names), None)
        if host is None:
            peer.send(Dismiss())
            return
        device = host.lent.devices[host.names.index(hello.name)]
        peer.role = Worker(peer.send, host, hello.name, device, hello.pid, hello.provenance)
        self.workers.append(peer.role)
        self._dismiss(host)

    def _report(self, send: Send, message: Report) -> None:
        key = {"trial": message.trial, "token": message.token, "epoch": message.report.epoch}
        if not self.leases.valid(message.study, message.trial, message.token):
            answer = Answer(verdict=Verdict.PRUNE, reason="the trial was ended, or given to another worker")
            send(Reply(**key, answer=answer))
            return
        answer = self.studies[message.study].report(message.trial, message.report)
        worker = self._holder(message.token)
        if worker is not None and worker.host.leaving and answer.verdict is Verdict.CONTINUE:
            answer = Answer(verdict=Verdict.PAUSE, reason="its host leaves")
        send(Reply(**key, answer=answer))

    def _finish(self, peer: Peer, message: Finish) -> None:
        if self.leases.valid(message.study, message.trial, message.token):
            study = self.studies[message.study]
            study.finish(message.trial, message.outcome)
            self.leases.revoke(message.study, message.trial)
            log.info("trial %d of %r: %s %s", message.trial, study.name, message.outcome.ending, message.outcome.reason)
        peer.send(Told(trial=message.trial, token=message.token))
        self._idle(peer)

    def _release(self, peer: Peer, message: Release) -> None:
        if self.leases.valid(message.study, message.trial, message.token):
            self._take_back(message.study, message.trial, "its host left", paused=True)
        self._idle(peer)

    def _idle(self, peer: Peer) -> None:
        """A worker is done with its trial: to the end of the queue, or home with its host."""
        worker = peer.role
        if isinstance(worker, Worker):
            worker.lease = None
            self.workers.remove(worker)
            self.workers.append(worker)
            self._dismiss(worker.host)

    def _leave(self, peer: Peer) -> None:
        if isinstance(peer.role, Host):
            peer.role.leaving = True
            self._dismiss(peer.role)

    def _dismiss(self, host: Host) -> None:
        """Send the idle workers of a host that leaves home."""
        for worker in self.workers:
            if worker.host is host and host.leaving and worker.lease is None and not worker.dismissed:
                worker.dismissed = True
                worker.send(Dismiss())

    def gone(self, peer: Peer) -> None:
        """A connection ended: a worker's trial goes on elsewhere, a host's workers are no longer counted."""
        match peer.role:
            case Worker() as worker:
                self.workers.remove(worker)
                lease = worker.lease
                if lease is not None and self.leases.valid(lease.study, lease.trial, lease.token):
                    log.warning("worker %s died with trial %d", worker.name, lease.trial)
                    self._take_back(lease.study, lease.trial, f"worker {worker.name} died")
            case Host() as host:
                self.hosts.remove(host)
                host.leaving = True
                log.info("host %d left", host.pid)
                self._forget_unused()
                if not self.hosts:
                    self.on_empty()
        self._assign()

    def _take_back(self, study: str, trial: int, reason: str, *, paused: bool = False) -> None:
        self.leases.revoke(study, trial)
        self.studies[study].release(trial, reason, paused=paused)

    def _holder(self, token: int) -> Worker | None:
        return next((worker for worker in self.workers if worker.lease and worker.lease.token == token), None)

    def _command(self, command: Command) -> Done:
        if command.verb == "workers":
            return Done(result={"coordinator": self.pid, "workers": [self._row(worker) for worker in self.workers]})
        return Done(result=commands.execute(self.database, command, self.studies))

    def _row(self, worker: Worker) -> dict[str, Any]:
        return {
            "worker": worker.name,
            "pid": worker.pid,
            "host": worker.host.pid,
            "study": worker.host.study,
            "device": worker.device,
            "trial": worker.lease.trial if worker.lease else None,
        }

    # Handing out trials.

    def _assign(self) -> None:
        """Give trials to idle workers, longest idle first, while the machine has room."""
        for worker in list(self.workers):
            if worker.lease is None and not worker.host.leaving:
                self._assign_to(worker)
        for study in list(self.studies.values()):
            self._revoke(study)
            if study.finished:
                self._end(study)

    def _revoke(self, study: LiveStudy) -> None:
        """Void the leases on trials that others ended; whoever trains one is told so when it reports."""
        for trial in self.leases.trials(study.name) - study.running.keys():
            log.warning("trial %d of %r was ended from outside", trial, study.name)
            self.leases.revoke(study.name, trial)

    def _assign_to(self, worker: Worker) -> None:
        lent = [host.lent for host in self.hosts]
        threads = slots.threads_free(self.cores, lent, self.leases.busy_threads())
        if threads is None or not slots.device_free(worker.device, lent, self.leases.busy_on(worker.device)):
            return
        study = self.studies.get(worker.host.study)
        running = study.claim() if study is not None else None
        if study is None or running is None:
            return
        worker.lease = self.leases.grant(study.name, running.number, threads=threads, device=worker.device)
        assignment = Assignment(
            study=study.name,
            trial=running.number,
            token=worker.lease.token,
            attempt=running.attempt,
            recipe=running.recipe.table(),
            seed=study.spec.trial_seed(running.number),
            threads=threads,
            device=worker.device,
        )
        study.start(running, assignment, worker.name, worker.provenance)
        worker.send(Assign(assignment=assignment))

    def _end(self, study: LiveStudy) -> None:
        """A study has nothing left to do: write its last rows and tell its hosts."""
        study.settle()
        self._write(study)
        error = study.error if study.end is End.FAILING else None
        for host in self._hosts_of(study):
            host.send(State(progress=progress_of(study, self._workers_of(study))))
            host.send(Over(reason=study.end or "", error=error))
            host.leaving = True
        del self.studies[study.name]
        log.info("study %r ended: %s", study.name, study.end)

    def _forget_unused(self) -> None:
        """Write and forget the studies that no host lends slots to any more."""
        for study in list(self.studies.values()):
            if not self._hosts_of(study):
                for trial in list(study.running):
                    self._take_back(study.name, trial, "its host left")
                self._write(study)
                del self.studies[study.name]

    def _hosts_of(self, study: LiveStudy) -> list[Host]:
        return [host for host in self.hosts if host.study == study.name]

    def _workers_of(self, study: LiveStudy) -> Iterable[Worker]:
        return [worker for worker in self.workers if worker.host.study == study.name]

    # The clock.

    def tick(self) -> None:
        """Every `TICK_SECONDS`: write groups, count active time, take in what others changed, show progress."""
        now = time.monotonic()
        passed, self._ticked = now - self._ticked, now
        changed = self.database.changed_outside()
        for study in self.studies.values():
            study.active_seconds += passed
            if changed:
                study.reconcile()
            study.flush()
            study.check_budget()
        if now - self._shown >= SHOW_SECONDS:
            self._shown = now
            for host in self.hosts:
                if host.study in self.studies and not host.leaving:
                    study = self.studies[host.study]
                    host.send(State(progress=progress_of(study, self._workers_of(study))))
        self._assign()

    @staticmethod
    def _write(study: LiveStudy) -> None:
        if study.end is not End.DELETED:
            study.log.active(study.storage.group, study.active_seconds)
            study.flush()
