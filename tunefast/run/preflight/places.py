"""Places where recipes are tried: a process for each slot, started again where a recipe takes it down."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from tunefast.run.preflight.probe import Probe, Probed
from tunefast.run.preflight.trying import READY

TAIL_BYTES = 4000
START_SECONDS = 120.0
"""For a process to start in."""

Take = Callable[[Probe, Probed], None]


class Places:
    """Tries recipes on several devices at once, each in a process of its own, as workers do."""

    def __init__(self, devices: Sequence[str]) -> None:
        self._places = [_Place(device) for device in devices]
        self._threads: list[threading.Thread] = []
        self._over = threading.Event()
        self.start_seconds = 0.0
        """What a process needs to start."""

    def __enter__(self) -> Self:
        started = time.perf_counter()
        try:
            with ThreadPoolExecutor(len(self._places)) as pool:
                list(pool.map(_Place.start, self._places))
        except BaseException:
            self._end()
            raise
        self.start_seconds = time.perf_counter() - started
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        """Kill the processes, whatever they do; threads that wait for their answers leave then."""
        self._over.set()
        for place in self._places:
            place.kill()
        for thread in self._threads:
            thread.join()
        for place in self._places:
            place.close()

    def try_all(self, probes: Iterable[Probe], until: float, take: Take) -> None:
        """Try `probes` until that time of the monotonic clock, handing each result to `take` in this thread.

        Those that are not tried by then, or take too long, have no result.
        """
        waiting: queue.SimpleQueue[Probe] = queue.SimpleQueue()
        for probe in probes:
            waiting.put(probe)
        results: queue.SimpleQueue[tuple[Probe, Probed | None] | None] = queue.SimpleQueue()

        def work(place: _Place) -> None:
            try:
                while not self._over.is_set():
                    probe = waiting.get_nowait()
                    late = time.monotonic() >= until
                    results.put((probe, None if late else place.tried(probe, until)))
            except (queue.Empty, _KilledError):
                return
            finally:
                results.put(None)

        self._threads = [threading.Thread(target=work, args=(place,), daemon=True) for place in self._places]
        for thread in self._threads:
            thread.start()
        working = len(self._threads)
        while working:
            result = results.get()
            if result is None:
                working -= 1
            elif result[1] is not None:
                take(result[0], result[1])


class _KilledError(Exception):
    """The process was killed because nobody waits for results any more."""


class _Place:
    """One process that tries recipes."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  closed with the last thread that reads it
        self._unread = b""

    def start(self, until: float | None = None) -> None:
        """Start the process and wait until it answers, at most until that time of the monotonic clock.

        Raises `RuntimeError` where it does not start.
        """
        self._unread = b""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tunefast.run.preflight.trying"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,  # Ctrl-C is this process's business
        )
        if self._killed:
            raise _KilledError
        answer = self._line(self._process, time.monotonic() + START_SECONDS if until is None else until)
        if answer != READY.encode():
            raise RuntimeError(f"a process to try recipes in did not start: {self._tail()}")

    def tried(self, probe: Probe, until: float) -> Probed | None:
        """The result; None where there was none at the time `until`."""
        if self._process is None:
            try:
                self.start(until)
            except (OSError, RuntimeError, TimeoutError):
                self._forget()
                return None
        process = self._process
        if process is None or process.stdin is None:
            raise RuntimeError("there is no process to try recipes in")
        with tempfile.TemporaryDirectory(prefix="tunefast-check-") as directory:
            placed = probe.model_copy(update={"device": self._device, "directory": str(Path(directory))})
            try:
                process.stdin.write(placed.model_dump_json().encode() + b"\n")
                process.stdin.flush()
                answer = self._line(process, until)
            except TimeoutError:
                self._forget()
                return None
            except BrokenPipeError:
                answer = None
            if answer is not None:
                return Probed.model_validate_json(answer)
            code = process.wait()
            if self._killed:
                raise _KilledError
            self._forget()
            return _died(code, self._tail())

    def _line(self, process: subprocess.Popen[bytes], until: float) -> bytes | None:
        """The next line, None at the end. Raises `TimeoutError` where there is none in time."""
        if process.stdout is None:
            return None
        while b"\n" not in self._unread:
            ready, _, _ = select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise TimeoutError
            more = process.stdout.read1(2**16)  # type: ignore[attr-defined]
            if not more:
                return None
            self._unread += more
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _tail(self) -> str:
        self._log.seek(0, 2)
        self._log.seek(max(0, self._log.tell() - TAIL_BYTES))
        return self._log.read().decode("utf-8", "replace").strip()

    def kill(self) -> None:
        """End the process from another thread than that which waits for its answer."""
        self._killed = True
        if self._process is not None:
            _kill_session(self._process)

    def close(self) -> None:
        """Let go of everything, once nobody waits for an answer."""
        self._forget()
        self._log.close()

    def _forget(self) -> None:
        """Kill the process and close its pipes; the next recipe gets a new one."""
        if self._process is None:
            return
        _kill_session(self._process)
        with self._process:
            self._process = None


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _died(code: int, tail: str) -> Probed:
    if code == -signal.SIGKILL:
        return Probed(error="its process was killed: the machine has not the memory", fits=False)
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return Probed(error=f"its process ended with {how}:\n{tail}")
