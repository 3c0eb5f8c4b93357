"""A host: the process behind `study run` and `worker start`. Lends slots to a study and keeps workers on them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tunefast.errors import CoordinatorLost, TunefastError
from tunefast.run.channel import LINE_LIMIT
from tunefast.run.commands import refusal
from tunefast.run.launch.local import kill_group, spawn_worker, worker_log
from tunefast.run.launch.starting import find_or_start
from tunefast.run.messages import (
    HostHello,
    Leave,
    Message,
    Note,
    Over,
    Quit,
    Ready,
    Refused,
    State,
    Unlend,
    Welcome,
    decode,
    encode,
)
from tunefast.run.worker import COORDINATOR_GONE
from tunefast.spec.progress import Progress, Record
from tunefast.store.ownership import StateDirectory

GRACE_SECONDS = 30.0
MAX_CRASHES = 3
"""Times in a row that a worker may end before it is ready; what ends it later is its trial's doing."""
BACK_OFF_SECONDS = 0.2
MAX_LOSSES, LOSSES_SECONDS = 3, 20.0
"""Coordinators lost within so many seconds before the host gives up."""
LOG_LINES = 15


@dataclass(frozen=True)
class Departure:
    """Why a host is done."""

    reason: str = ""
    """Why its study ended; empty where the user ended the host."""
    error: str | None = None
    """What the first trials failed with, where the study ended for that."""
    signal: int | None = None
    """The signal that the user sent."""
    taken_back: bool = False
    """Whether each of its workers was sent away instead, so that others may go on."""


@dataclass
class Host:
    """Lends `devices`, one per slot, to the study `study` until it ends or the user wants them back.

    Its workers, which have loaded libraries and data, may then go on with the study that `following` names.
    """

    database: Path
    study: str
    devices: Sequence[str]
    explicit: bool
    """Whether the user said how many."""
    on_progress: Callable[[Progress], None] = lambda _progress: None
    on_note: Callable[[str], None] = lambda _note: None
    following: Callable[[str], str | None] | None = None
    """Called in another thread with why the study ended: the study to lend the slots to next, if any. Asked once."""
    grace_seconds: float = GRACE_SECONDS
    _state: StateDirectory = field(init=False)
    _workers: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    _send: Callable[[Record], None] = lambda _message: None
    _crashes: Counter[str] = field(default_factory=Counter)
    """How often in a row each worker ended before it was ready."""
    _log_starts: dict[str, int] = field(default_factory=dict)
    """Where in its log a worker's process began."""
    _names: list[str] = field(default_factory=list)
    """Of the workers, one per device."""
    _unlent: set[str] = field(default_factory=set)
    """Workers that the user sent away."""
    _welcomed: str = ""
    """The study that a coordinator last let it work on."""
    _signal: int | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    """Of `run`."""
    _ending: bool = False
    """Whether workers that end are meant to."""
    _losses: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_LOSSES))

    def __post_init__(self) -> None:
        self._state = StateDirectory(self.database)

    async def run(self) -> Departure:
        """Lend the slots. Returns why it ended; raises what the coordinator refuses, and `CoordinatorLost`."""
        loop = self._loop = asyncio.get_running_loop()
        in_main_thread = threading.current_thread() is threading.main_thread()
        signals = (signal.SIGINT, signal.SIGTERM) if in_main_thread else ()
        for number in signals:
            loop.add_signal_handler(number, self._on_signal, number)
        try:
            while (departure := await self._session()) is None:
                self._note_loss()
                if not self.devices:
                    return Departure(signal=self._signal, taken_back=self._signal is None)
        finally:
            for number in signals:
                loop.remove_signal_handler(number)
        return departure

    async def _session(self) -> Departure | None:
        """Lend the slots to one coordinator; None where it was lost, so that another is to be found or started."""
        channel = await asyncio.to_thread(find_or_start, self._state)
        address = Path(channel.socket.getpeername())
        reader, writer = await asyncio.open_unix_connection(sock=channel.detach(), limit=LINE_LIMIT)
        self._send = lambda message: writer.write(encode(message))
        keepers: list[asyncio.Task[None]] = []
        try:
            self._send(self._hello())
            welcome = await _next(reader)
            if isinstance(welcome, Refused):
                raise refusal(welcome)
            if not isinstance(welcome, Welcome):
                return None
            if self._signal is not None:
                return Departure(signal=self._signal)
            self.on_note(f"coordinator {welcome.pid}, workers {', '.join(welcome.workers)}; logs in {self._state.logs}")
            self._welcomed = self.study
            self._names, self._unlent = list(welcome.workers), set()
            keepers = [asyncio.create_task(self._keep(name, address)) for name in welcome.workers]
            return await self._until_done(reader, keepers)
        finally:
            await self._end_workers(keepers)
            writer.close()

    async def _until_done(self, reader: asyncio.StreamReader, keepers: list[asyncio.Task[None]]) -> Departure | None:
        """Listen until the study is over, the coordinator lost, or all workers have left after a signal."""
        listening = asyncio.create_task(self._listen(reader))
        keeping = asyncio.create_task(asyncio.wait(keepers, return_when=asyncio.FIRST_EXCEPTION))
        try:
            await asyncio.wait({listening, keeping}, return_when=asyncio.FIRST_COMPLETED)
            if not listening.done():
                for keeper in keepers:
                    if keeper.done():
                        keeper.result()
                if self._signal is not None or self._unlent:
                    return Departure(signal=self._signal, taken_back=self._signal is None)
            return await listening
        finally:
            listening.cancel()
            keeping.cancel()

    async def _listen(self, reader: asyncio.StreamReader) -> Departure | None:
        while (message := await _next(reader)) is not None:
            if isinstance(message, Over) and message.study in ("", self.study):
                if not await self._goes_on(message.reason):
                    return Departure(reason=message.reason, error=message.error)
                self._send(self._hello())
            else:
                self._hear(message)
        return None

    def _hear(self, message: Message) -> None:
        """Take in what the coordinator says while the study goes on."""
        match message:
            case State():
                self.on_progress(message.progress)
            case Ready():
                self._crashes[message.worker] = 0
            case Note():
                self.on_note(f"trial {message.trial}: {message.text}")
            case Refused():
                raise refusal(message)
            case Quit() if self._signal is None:
                self._on_signal(signal.SIGTERM)
            case Welcome():
                self._welcomed = self.study
            case Unlend():
                self._take_back(message.worker)

    def _take_back(self, name: str) -> None:
        """A slot is lent no more: its worker is not replaced when it ends, nor after the loss of a coordinator."""
        index = self._names.index(name)
        self.devices = [*self.devices[:index], *self.devices[index + 1 :]]
        self._names.remove(name)
        self._unlent.add(name)
        self.on_note(f"worker {name} goes after its epoch, and is not replaced")

    def _hello(self) -> HostHello:
        return HostHello(
            pid=os.getpid(),
            study=self.study,
            devices=list(self.devices),
            explicit=self.explicit,
            stays=self.following is not None,
            goes_on=self._welcomed == self.study,
        )

    async def _goes_on(self, reason: str) -> bool:
        """Whether there is another study for the workers, which is this host's from now on."""
        if self.following is None or self._signal is not None:
            return False
        found = None
        try:
            found = await asyncio.to_thread(self.following, reason)
        except TunefastError as error:  # what was found before is not lost for that
            self.on_note(f"{error}")
        self.following = None
        self.study = self.study if found is None else found
        return found is not None

    async def _keep(self, name: str, socket: Path) -> None:
        """Keep a worker on a slot: one that ends before it is told to is replaced."""
        while not self._ending:
            self._log_starts[name] = _size(worker_log(self._state, name))
            process = self._workers[name] = await spawn_worker(self._state, socket, name)
            self._crashes[name] += 1
            code = await process.wait()
            if self._ending or self._signal is not None or name in self._unlent:
                return
            if self._crashes[name] == MAX_CRASHES:
                raise TunefastError(
                    f"worker {name} failed {MAX_CRASHES} times before it was ready:\n{self._log_end(name)}"
                )
            if code not in (0, COORDINATOR_GONE):
                how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
                self.on_note(f"worker {name} died ({how}); it is replaced")
            await asyncio.sleep(BACK_OFF_SECONDS)

    def _log_end(self, name: str) -> str:
        path = worker_log(self._state, name)
        with path.open("rb") as log:
            log.seek(self._log_starts[name])
            lines = log.read().decode(errors="replace").splitlines()
        return "\n".join([*lines[-LOG_LINES:], f"(the whole log: {path})"])

    def interrupt(self) -> None:
        """What Ctrl-C does to a host in the main thread; to be called from another one than its own."""
        if self._loop is None:
            self._signal = signal.SIGINT
        else:
            with contextlib.suppress(RuntimeError):  # it has just ended
                self._loop.call_soon_threadsafe(self._on_signal, signal.SIGINT)

    def _on_signal(self, number: int) -> None:
        """The first signal: give the slots back at the next epoch end. The second: now."""
        if self._signal is not None:
            self._kill_workers()
            return
        self._signal = number
        self.on_note(f"stopping at the next epoch end, within {self.grace_seconds:g} s; once more to stop at once")
        self._send(Leave())
        asyncio.get_running_loop().call_later(self.grace_seconds, self._kill_workers)

    def _kill_workers(self) -> None:
        for process in self._workers.values():
            if process.returncode is None:
                kill_group(process.pid)

    async def _end_workers(self, keepers: list[asyncio.Task[None]]) -> None:
        """End the workers that are left; they have nothing to do any more."""
        self._ending = True
        self._kill_workers()
        await asyncio.gather(*keepers, return_exceptions=True)
        self._workers.clear()
        self._ending = False

    def _note_loss(self) -> None:
        now = time.monotonic()
        self._losses.append(now)
        if len(self._losses) == MAX_LOSSES and now - self._losses[0] < LOSSES_SECONDS:
            raise CoordinatorLost(
                storage=self.database, problem=f"{MAX_LOSSES} of them ended; see {self._state.logs / 'coordinator.log'}"
            )
        self.on_note("the coordinator is gone; another one takes over")


async def _next(reader: asyncio.StreamReader) -> Message | None:
    """The next message, or None where the other end is gone."""
    try:
        line = await reader.readline()
    except ConnectionError:
        return None
    return decode(line) if line.endswith(b"\n") else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
