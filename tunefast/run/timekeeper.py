"""The timekeeper: what the coordinator does because time passes."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from functools import partial

from tunefast.run.dispatcher import Dispatcher
from tunefast.run.leases import Lease
from tunefast.run.messages import Note, State
from tunefast.run.peers import Host, Watcher
from tunefast.run.progress import progress_of
from tunefast.run.watchdog import Alarm, alarm
from tunefast.search.live import LiveStudy
from tunefast.search.verdicts import TIME_LIMIT
from tunefast.spec.progress import Ending, Outcome

TICK_SECONDS = 0.1
"""Reports are in the database at most this long after they were answered."""
LONGEST_TICK_SECONDS = 1.0
"""What passed longer ago than this passed while this process stood still: nobody could be heard meanwhile."""
SHOW_SECONDS = 0.25
LOOK_SECONDS = 1.0
"""Between two looks at how busy workers are: the kernel counts in hundredths, and a look costs a fraction of one."""

log = logging.getLogger("tunefast.coordinator")


@dataclass
class Timekeeper(Dispatcher):
    """Writes in groups, counts active time, ends workers that hang, shows progress."""

    _ticked: float = field(default_factory=time.monotonic)
    _shown: float = 0.0
    _looked: float = 0.0

    def tick(self) -> None:
        """Every `TICK_SECONDS`: write groups, count active time, take in what others changed, show progress."""
        now = time.monotonic()
        passed, self._ticked = now - self._ticked, now
        self._storage_waits = False
        self.oom_kills.note(now)
        for study in self.studies.values():
            self.account(study)
            study.check_budget()
        for act in (partial(self._guard, min(passed, LONGEST_TICK_SECONDS)), self._synchronise):
            with self._storage_may_wait():
                act()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            for worker in self.workers:
                worker.look(now)
        if now - self._shown >= SHOW_SECONDS:
            self._shown = now
            staying = [host for host in self.hosts if not host.leaving]
            lookers: list[Host | Watcher] = [*staying, *self.watchers]
            for peer in lookers:
                if peer.study in self.studies:
                    study = self.studies[peer.study]
                    peer.send(State(progress=progress_of(study, self._workers_of(study))))
        self._assign()

    def _guard(self, passed: float) -> None:
        """End the workers that hang, and let others take up their trials."""
        for lease in self.leases.advance(passed):
            study = self.studies.get(lease.study)
            running = study.running.get(lease.trial) if study is not None else None
            if study is None or running is None:  # ended from outside
                continue
            running.seconds += passed
            why = alarm(lease, running, study.spec.trial)
            if why is not None:
                self._end_worker(study, lease, why)

    def _end_worker(self, study: LiveStudy, lease: Lease, why: Alarm) -> None:
        worker = next((worker for worker in self.workers if worker.lease is lease), None)
        log.warning("trial %d of %r: %s", lease.trial, study.name, why.reason)
        what = "it is given up" if why.ends_trial else "another one takes it up"
        note = Note(study=study.name, trial=lease.trial, token=lease.token, text=f"{why.reason}; {what}")
        self._tell_people(study, note)
        if worker is not None:
            worker.lease, worker.dismissed = None, True
            self.kill(worker.pid)
        if why.ends_trial:
            self.leases.revoke(study.name, lease.trial)
            study.finish(lease.trial, Outcome(ending=Ending.FAILED, reason=TIME_LIMIT, error=why.reason))
        else:
            self._take_back(study.name, lease.trial, why.reason)

    def _synchronise(self) -> None:
        """Take in what others changed, write what waits, and tell the outcomes that could not be written before."""
        changed = self.database.changed_outside()
        for study in self.studies.values():
            if changed:
                study.reconcile()
            study.flush(durable=False)  # nobody was promised that a report outlives a power cut
            self.retention[study.name].tidy()
        untold, self._untold = self._untold, []
        for peer, message in untold:
            self._tell(peer, message)
