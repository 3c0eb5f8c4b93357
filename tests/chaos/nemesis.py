"""The nemesis: does to a running study what machines do to it."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.arena import LEASE_SECONDS, Arena

LOCK_SECONDS = 1.5


@dataclass
class Nemesis:
    """Knows how to do each kind of harm; counts what it did."""

    arena: Arena
    rng: random.Random
    done: Counter[str] = field(default_factory=Counter)
    _stopped: list[tuple[float, int]] = field(default_factory=list)

    def strike(self, kind: str, host: int) -> bool:
        """Do one harm; False where there is nobody to do it to now."""
        processes = self.arena.processes()
        busy = [worker for worker in processes["workers"] if worker["trial"] is not None]
        if processes["coordinator"] is None or not busy:
            return False
        worker = self.rng.choice(busy)
        harmed = bool(getattr(self, f"_{kind}")(worker=worker, coordinator=processes["coordinator"], host=host))
        self.done[kind] += harmed
        return harmed

    def wake(self) -> None:
        """Let processes go on that were stopped long enough."""
        for due, pid in list(self._stopped):
            if time.monotonic() >= due:
                self._stopped.remove((due, pid))
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def wake_all(self) -> None:
        """Let all of them go on."""
        self._stopped = [(0.0, pid) for _, pid in self._stopped]
        self.wake()

    def _kill(self, *, worker: dict[str, Any], **_: Any) -> bool:
        return _sent(int(worker["pid"]), signal.SIGKILL)

    def _stop(self, *, worker: dict[str, Any], **_: Any) -> bool:
        """Stop a worker for less than its lease, or for longer."""
        pid = int(worker["pid"])
        self._stopped.append((time.monotonic() + self.rng.uniform(0.3, 2 * LEASE_SECONDS), pid))
        return _sent(pid, signal.SIGSTOP)

    def _coordinator(self, *, coordinator: int, **_: Any) -> bool:
        return _sent(coordinator, signal.SIGKILL)

    def _host(self, *, host: int, **_: Any) -> bool:
        return _sent(host, signal.SIGKILL)

    def _damage(self, *, worker: dict[str, Any], **_: Any) -> bool:
        """Damage the newest checkpoint of a trial, and kill its worker so that it is needed."""
        files = self.arena.checkpoints(int(worker["trial"]))
        if not files:
            return False
        newest = files[-1]
        _sent(int(worker["pid"]), signal.SIGSTOP)  # or it would write a good one
        with suppress(FileNotFoundError):
            content = bytearray(newest.read_bytes())
            kind = self.rng.choice(("cut", "empty", "flip"))
            if kind == "flip" and content:
                content[self.rng.randrange(len(content))] ^= 1 << self.rng.randrange(8)
            newest.write_bytes(content if kind == "flip" else b"" if kind == "empty" else content[: len(content) // 2])
        return _sent(int(worker["pid"]), signal.SIGKILL)

    def _lock(self, **_: Any) -> bool:
        """Lock the database for longer than the coordinator waits at once."""

        def hold() -> None:
            with (
                suppress(sqlite3.Error),
                closing(sqlite3.connect(self.arena.database, timeout=5, isolation_level=None)) as connection,
            ):
                connection.execute("BEGIN EXCLUSIVE")
                time.sleep(LOCK_SECONDS)
                connection.execute("ROLLBACK")

        threading.Thread(target=hold, daemon=True).start()
        return True


def _sent(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
