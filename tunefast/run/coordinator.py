"""The coordinator: the one process that owns a database's live studies. Asks, assigns, prunes, tells, writes.

`tunefast.run.server` connects it to the hosts and workers of this machine.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from tunefast.errors import StorageError, TunefastError, UserError
from tunefast.run import commands, control, slots
from tunefast.run.leases import Lease
from tunefast.run.messages import (
    Beat,
    Command,
    Consult,
    Consulted,
    Dismiss,
    Done,
    Finish,
    HostHello,
    Leave,
    Message,
    Note,
    Ready,
    Recall,
    Refused,
    Release,
    Reply,
    Report,
    Saved,
    State,
    Watch,
    Welcome,
    WorkerHello,
)
from tunefast.run.notifying import notify
from tunefast.run.peers import LEFT, Host, Peer, Send, Watcher, Worker
from tunefast.run.progress import progress_of
from tunefast.run.timekeeper import Timekeeper
from tunefast.search.setbacks import broken_device, short_of_memory
from tunefast.spec.progress import HELD, OUT_OF_MEMORY, Answer, Ending, Outcome, Record, Verdict

log = logging.getLogger("tunefast.coordinator")


@dataclass
class Coordinator(Timekeeper):
    """What the coordinator does with what it is told. Reads no socket and no clock but its own."""

    def receive(self, peer: Peer, message: Message) -> None:
        """Act on a message. What a hello or a command does wrong is refused, and harms nobody else."""
        if isinstance(message, Note | Consult | Recall | Saved | Beat):
            self._talk(peer.send, message)
            return
        match message:
            case Report():
                self._report(peer.send, message)
                return  # it frees no worker
            case Finish():
                self._finish(peer, message)
            case Release():
                with self._storage_may_wait():
                    self._release(peer, message)
            case WorkerHello():
                self._worker_hello(peer, message)
            case HostHello() | Command() | Watch():
                try:
                    peer.send(self._answered(peer, message))
                except Exception as error:
                    if not isinstance(error, TunefastError):
                        log.exception("refused")
                    peer.send(Refused(error=type(error).__name__, message=str(error)))
            case Leave():
                self._leave(peer)
            case _:
                log.warning("a coordinator got %s", message.kind)
        self._assign()

    def _answered(self, peer: Peer, message: HostHello | Command | Watch) -> Record:
        match message:
            case HostHello():
                return self._host_hello(peer, message)
            case Watch():
                return self._watch(peer, message)
            case Command():
                return self._command(message)

    def _watch(self, peer: Peer, message: Watch) -> State:
        if message.study not in self.studies:
            raise UserError(message=f"nobody works on study {message.study!r}")
        study = self.studies[message.study]
        peer.role = Watcher(peer.send, message.study)
        self.watchers.append(peer.role)
        return State(progress=progress_of(study, self._workers_of(study)))

    def _host_hello(self, peer: Peer, hello: HostHello) -> Welcome:
        if hello.study not in self.studies:
            self._take_up(hello.study, goes_on=hello.goes_on)
            log.info("study %r is live", hello.study)
        self.account(self.studies[hello.study])
        if isinstance(peer.role, Host):
            peer.role.study, peer.role.stays = hello.study, hello.stays
            self._forget_unused()
            return Welcome(pid=self.pid, workers=peer.role.names)
        taken = {name for host in self.hosts for name in host.names} | {worker.name for worker in self.workers}
        free = (f"w{number}" for number in range(1, len(taken) + len(hello.devices) + 1))
        names = [name for name in free if name not in taken][: len(hello.devices)]
        lent = slots.Lent(hello.devices, hello.explicit)
        peer.role = Host(peer.send, hello.pid, hello.study, lent, names, hello.stays)
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
        host.send(Ready(worker=hello.name))
        self.dismiss(host)

    def _report(self, send: Send, message: Report) -> None:
        key = {"trial": message.trial, "token": message.token, "epoch": message.report.epoch}
        lease = self.leases.held(message.study, message.trial, message.token)
        if lease is None:
            answer = Answer(verdict=Verdict.PRUNE, reason="the trial was ended, or given to another worker")
            send(Reply(**key, answer=answer))
            return
        lease.hear()
        study = self.studies[message.study]
        last_epoch = study.last_epoch(message.trial)
        more_to_come = last_epoch is None or message.report.epoch < last_epoch
        answer = study.report(message.trial, message.report)
        worker = self._holder(message.token)
        if more_to_come and answer.verdict is Verdict.CONTINUE:
            ours = study.spec.trains_with_ours  # own training may have kept nothing to go on from
            if worker is not None and (worker.host.leaving or (worker.unlent and ours)):
                answer = Answer(verdict=Verdict.PAUSE, reason="its host leaves")
            elif study.held and ours:
                answer = Answer(verdict=Verdict.PAUSE, reason=HELD)
        send(Reply(**key, answer=answer))

    def _finish(self, peer: Peer, message: Finish) -> None:
        if not self.leases.held(message.study, message.trial, message.token):
            self._tell(peer, message)
            return
        study, outcome = self.studies[message.study], message.outcome
        log.info("trial %d of %r: %s %s", message.trial, study.name, outcome.ending, outcome.reason)
        self.leases.revoke(message.study, message.trial)
        best = study.tally.best
        if outcome.ending is Ending.INFEASIBLE:
            self._recycle(peer)
        try:
            if outcome.ending is Ending.INFEASIBLE and outcome.reason == OUT_OF_MEMORY:
                short_of_memory(study, message.trial, outcome)
            else:
                study.finish(message.trial, outcome, durable=False)  # its worker is told when it is
        except StorageError as error:
            self._wait_for_storage(error)
            self._untold.append((peer, message))
            return
        if study.tally.best != best:
            notify(study, "best")
        self._tell(peer, message)

    def _release(self, peer: Peer, message: Release) -> None:
        """A worker gives its trial back, or cannot go on with it."""
        if self.leases.held(message.study, message.trial, message.token):
            study, returned = self.studies[message.study], message.returned
            if returned.why in ("device", "left"):
                self._recycle(peer)
            if returned.why == "device":
                self.leases.revoke(message.study, message.trial)
                broken_device(study, message.trial, returned.text)
            else:
                stays = isinstance(peer.role, Worker) and not peer.role.leaving
                why = HELD if study.held and stays else LEFT
                self._take_back(message.study, message.trial, returned.text or why, paused=True)
            if returned.why in ("disk", "data"):
                log.error("%r is paused: %s", study.name, returned.text)
                study.pause(returned.text)
        self._idle(peer)

    def _recycle(self, peer: Peer) -> None:
        """Let a worker end whose process, or whose device, may no longer be sound; its host starts another one."""
        if isinstance(peer.role, Worker):
            peer.role.dismissed = True

    def _talk(self, send: Send, message: Note | Consult | Recall | Saved | Beat) -> None:
        """What a trial's worker says besides its reports: for people, for Optuna, or to be noted."""
        key = {"trial": message.trial, "token": message.token}
        lease = self.leases.held(message.study, message.trial, message.token)
        if lease is None:
            if isinstance(message, Consult):
                send(Consulted(**key, error="the trial was ended, or given to another worker"))
            return
        lease.hear(message.pulse if isinstance(message, Beat) else None)
        study = self.studies[message.study]
        running = study.running[message.trial]
        holder = self._holder(message.token)
        if isinstance(message, Beat) and holder is not None and message.use is not None:
            holder.use = message.use
        match message:
            case Note():
                self._tell_people(study, message)
            case Recall():
                study.recorder.recall(running, message.reports)
            case Saved():
                study.recorder.saved(message.trial, message.file)
            case Consult():
                try:
                    value = study.asker.consult(running.trial_id, message.verb, message.argument)
                except (TypeError, ValueError) as error:
                    send(Consulted(**key, error=str(error)))
                else:
                    send(Consulted(**key, value=value))

    def _leave(self, peer: Peer) -> None:
        if isinstance(peer.role, Host):
            peer.role.leaving = True
            self.dismiss(peer.role)

    def gone(self, peer: Peer) -> None:
        """A connection ended: a worker's trial goes on elsewhere, a host's workers are no longer counted."""
        match peer.role:
            case Worker() as worker:
                if worker.unlent and worker.host.study in self.studies:
                    self.account(self.studies[worker.host.study])
                self.workers.remove(worker)
                lease = worker.lease
                if lease is not None and self.leases.held(lease.study, lease.trial, lease.token):
                    with self._storage_may_wait():
                        self._died(worker, lease)
            case Watcher() as watcher:
                self.watchers.remove(watcher)
            case Host() as host:
                if host.study in self.studies:
                    self.account(self.studies[host.study])
                self.hosts.remove(host)
                host.leaving = True
                log.info("host %d left", host.pid)
                with self._storage_may_wait():
                    self._forget_unused()
                if not self.hosts:
                    self.on_empty()
        self._assign()

    def _died(self, worker: Worker, lease: Lease) -> None:
        """A worker died with a trial: that goes on, unless it took more memory than there is."""
        log.warning("worker %s died with trial %d", worker.name, lease.trial)
        if not self.oom_kills.just_killed():
            self._take_back(lease.study, lease.trial, f"worker {worker.name} died", paused=worker.host.leaving)
            return
        self.leases.revoke(lease.study, lease.trial)
        killed = "the kernel killed its worker, since the machine had no memory left"
        outcome = Outcome(ending=Ending.INFEASIBLE, reason=OUT_OF_MEMORY, error=killed)
        short_of_memory(self.studies[lease.study], lease.trial, outcome)

    def _holder(self, token: int) -> Worker | None:
        return next((worker for worker in self.workers if worker.lease and worker.lease.token == token), None)

    def _command(self, command: Command) -> Done:
        if command.verb == "workers":
            return Done(result={"coordinator": self.pid, "workers": [self._row(worker) for worker in self.workers]})
        if command.verb in control.VERBS:
            return Done(result=control.VERBS[command.verb](self, command))
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
