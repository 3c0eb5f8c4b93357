"""The dispatcher: gives trials to idle workers while the machine has room, and ends studies that have none left."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tunefast.errors import DiskFull, StorageError
from tunefast.run import slots
from tunefast.run.assigning import assignment_of, earlier_attempts
from tunefast.run.launch.local import kill_group
from tunefast.run.leases import Leases
from tunefast.run.messages import Assign, Dismiss, Finish, Halt, Note, Over, State, Told
from tunefast.run.notifying import notify
from tunefast.run.oom import OomKills
from tunefast.run.peers import LEFT, Host, Peer, Watcher, Worker
from tunefast.run.progress import progress_of
from tunefast.run.retention import Retention
from tunefast.search.budget import End, ended_by
from tunefast.search.live import LiveStudy
from tunefast.spec.progress import Record
from tunefast.spec.sections import Event
from tunefast.store.database import Database
from tunefast.store.ownership import StateDirectory
from tunefast.store.studies import Orders

EVENTS: dict[End | None, Event] = {End.FAILING: "failed", End.PAUSED: "paused"}
"""What people are told where a study did not end as it was meant to."""

log = logging.getLogger("tunefast.coordinator")


@dataclass
class Dispatcher:
    """Who is there, what is being worked on, and who gets the next trial."""

    database: Database
    pid: int
    cores: int = field(default_factory=slots.num_cores)
    studies: dict[str, LiveStudy] = field(default_factory=dict)
    retention: dict[str, Retention] = field(default_factory=dict)
    hosts: list[Host] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    watchers: list[Watcher] = field(default_factory=list)
    leases: Leases = field(default_factory=Leases)
    kill: Callable[[int], None] = kill_group
    """Ends a worker's process, with what it started."""
    oom_kills: OomKills = field(default_factory=OomKills)
    on_empty: Callable[[], None] = lambda: None
    """Called when the last host has left."""
    later: Callable[[Callable[[], None]], Any] | None = None
    """Does something soon in this thread, told from any thread. Without it trials are asked for when they are due."""
    _storage_waits: bool = False
    """Whether the database was locked or full since the last tick: who asks again at once waits for each message."""
    _untold: list[tuple[Peer, Finish]] = field(default_factory=list)
    """Outcomes that wait for the database."""

    def _assign(self) -> None:
        """Give trials to idle workers, longest idle first, while the machine has room and the database is free."""
        if self._storage_waits:
            return
        try:
            for worker in list(self.workers):
                if worker.lease is None and not worker.leaving and not worker.dismissed:
                    self._assign_to(worker)
            for study in list(self.studies.values()):
                self._revoke(study)
                self._halt(study)
                if study.finished:
                    self._end(study)
        except StorageError as error:
            self._wait_for_storage(error)

    def _wait_for_storage(self, error: StorageError) -> None:
        """What could not be written is tried again at the next tick, unless people have to do something first."""
        log.warning("tried again at the next tick: %s", error)
        if isinstance(error, DiskFull):
            for study in self.studies.values():
                study.pause(str(error))
        else:
            self._storage_waits = True

    @contextlib.contextmanager
    def _storage_may_wait(self) -> Iterator[None]:
        """Do what is written as soon as it can be."""
        try:
            yield
        except StorageError as error:
            self._wait_for_storage(error)

    def _revoke(self, study: LiveStudy) -> None:
        """Void the leases on trials that others ended; whoever trains one is told so when it reports."""
        for trial in self.leases.trials(study.name) - study.running.keys():
            log.warning("trial %d of %r was ended from outside", trial, study.name)
            self.leases.revoke(study.name, trial)

    def _halt(self, study: LiveStudy) -> None:
        """Let nobody train an epoch to its end for nothing, where the study's target was reached."""
        if study.end is not End.TARGET:
            return
        for worker in self._workers_of(study):
            lease = worker.lease
            if lease is not None and not lease.halted:
                lease.halted = True
                worker.send(Halt(trial=lease.trial, token=lease.token, reason=ended_by(End.TARGET)))

    def _assign_to(self, worker: Worker) -> None:
        lent = [host.lent for host in self.hosts]
        busy = [other.lease for other in self.workers if other.lease is not None]
        threads = slots.threads_free(self.cores, lent, sum(lease.threads for lease in busy))
        num_there = sum(lease.device == worker.device for lease in busy)
        study = self.studies.get(worker.host.study)
        if study is None or threads is None or not slots.device_free(worker.device, lent, num_there):
            return
        if not self._asks_ahead(study):
            return
        running = study.claim()
        if running is None:
            return
        try:
            told = earlier_attempts(study, running)
        except StorageError:
            study.put_back(running)
            raise
        threads = running.threads or threads
        worker.lease = self.leases.grant(study.name, running.number, threads=threads, device=worker.device)
        num_slots = sum(len(host.names) for host in self._hosts_of(study))
        room = self.retention[study.name].room(running.number, num_slots)
        trials = self.retention[study.name].trials
        assignment = assignment_of(study, running, worker.lease, told, trials, room)
        study.start(running, assignment, worker.name, worker.provenance)
        worker.send(Assign(assignment=assignment))
        self._asks_ahead(study)

    def _asks_ahead(self, study: LiveStudy) -> bool:
        """Have the next trials of a study drawn; whether one can be claimed now, rather than when it has been drawn."""
        later = self.later
        return later is None or study.prepare(len(list(self._workers_of(study))), lambda: later(self._assign))

    def _take_up(self, name: str, *, goes_on: bool) -> None:
        """Make a study live. Orders are for the work they were given to: who begins anew is not bound by them."""
        study = LiveStudy(self.database, name)
        if not goes_on:
            study.keep_orders(Orders())
        self.retention[name] = Retention(study, StateDirectory(self.database.path), self._once_on_disk)
        self.studies[name] = study

    def _drop(self, study: LiveStudy) -> None:
        """Forget a study; outcomes of it that could not be written are never told, and their trials go on later.

        People's orders stay: hosts that lost this coordinator go on with them at the next one.
        """
        del self.studies[study.name]
        for trial in self.leases.trials(study.name):
            self.leases.revoke(study.name, trial)
        self._untold = [(peer, message) for peer, message in self._untold if message.study != study.name]
        on_disk = not study.storage.unwritten and self.database.syncing.error is None
        self.retention.pop(study.name).close(on_disk=on_disk)
        study.asker.close()

    def _end(self, study: LiveStudy) -> None:
        """A study has nothing left to do: write its last rows and tell its hosts."""
        self.account(study)
        study.settle()
        with contextlib.suppress(DiskFull):  # of which the hosts are told
            self._write(study)
        error = study.error if study.end in (End.FAILING, End.PAUSED) else None
        for host in self._hosts_of(study):
            host.send(State(progress=progress_of(study, self._workers_of(study))))
            host.send(Over(reason=study.end or "", error=error, study=study.name))
            host.leaving = host.leaving or not host.stays
            host.study = "" if host.stays else host.study
        self._tell_watchers(study, Over(reason=study.end or ""))
        notify(study, EVENTS.get(study.end, "done"))
        self._drop(study)
        log.info("study %r ended: %s", study.name, study.end)

    def _forget_unused(self) -> None:
        """Write and forget the studies that no host lends slots to any more."""
        for study in list(self.studies.values()):
            if not self._hosts_of(study):
                for trial in list(study.running):
                    self._take_back(study.name, trial, LEFT)
                with contextlib.suppress(StorageError):  # nothing told is lost; the rest is done again
                    self._write(study)
                self._tell_watchers(study, Over(reason=""))
                notify(study, "paused")
                self._drop(study)

    def account(self, study: LiveStudy) -> None:
        """Count the time that passed, before its slots change; a worker that was sent away has one until it goes."""
        num_unlent = sum(worker.unlent for worker in self._workers_of(study))
        study.account(sum(len(host.names) for host in self._hosts_of(study)) + num_unlent)

    def _hosts_of(self, study: LiveStudy) -> list[Host]:
        return [host for host in self.hosts if host.study == study.name]

    def _tell_people(self, study: LiveStudy, note: Note) -> None:
        self._tell_watchers(study, note)
        for host in self._hosts_of(study):
            host.send(note)

    def _tell_watchers(self, study: LiveStudy, message: Record) -> None:
        for watcher in self.watchers:
            if watcher.study == study.name:
                watcher.send(message)

    def _workers_of(self, study: LiveStudy) -> Iterable[Worker]:
        return [worker for worker in self.workers if worker.host.study == study.name]

    @staticmethod
    def _write(study: LiveStudy) -> None:
        if study.end is not End.DELETED:
            study.log.active(study.storage.group, study.active_seconds, study.slot_seconds)
            study.flush()

    def _take_back(self, study: str, trial: int, reason: str, *, paused: bool = False) -> None:
        self.leases.revoke(study, trial)
        if trial in self.studies[study].running:
            self.studies[study].release(trial, reason, paused=paused)

    def _tell(self, peer: Peer, message: Finish) -> None:
        """Say that an outcome, which is in the database, is on disk, as soon as it is; its worker may go on before."""
        told = Told(trial=message.trial, token=message.token)
        self._once_on_disk(lambda: peer.send(told))
        self._idle(peer)

    def _once_on_disk(self, act: Callable[[], None]) -> None:
        """Do something once all that is committed now is on disk; where it cannot be, people have to do something."""

        def synced(error: DiskFull | None) -> None:
            if error is None:
                act()
            else:
                self._wait_for_storage(error)

        later = self.later
        if later is None:
            synced(self.database.syncing.sync())
        else:
            self.database.syncing.after(lambda error: later(partial(synced, error)))

    def _idle(self, peer: Peer) -> None:
        """A worker is done with its trial: to the end of the queue, or home with its host."""
        worker = peer.role
        if isinstance(worker, Worker) and worker in self.workers:
            worker.lease = None
            self.workers.remove(worker)
            self.workers.append(worker)
            if worker.dismissed:
                worker.send(Dismiss())
            self.dismiss(worker.host)

    def dismiss(self, host: Host) -> None:
        """Send the idle workers of a host that leaves home."""
        for worker in self.workers:
            if worker.host is host and worker.leaving and worker.lease is None and not worker.dismissed:
                worker.dismissed = True
                worker.send(Dismiss())
