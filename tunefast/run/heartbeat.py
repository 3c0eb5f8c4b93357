"""A heartbeat: while a worker has a trial, a thread of its own says that it lives, and how far it has got."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

BEATS_PER_LEASE = 6
LONGEST_SECONDS = 5.0
"""Between two beats, however long a lease is."""


class Heartbeat:
    """One thread for all trials of a worker, since starting one for each takes longer than a short trial's report."""

    def __init__(self) -> None:
        self._turn = threading.Condition()
        self._beat: Callable[[], None] | None = None
        self._pause = LONGEST_SECONDS
        self._is_over = False
        self._thread = threading.Thread(target=self._keep_on, name="heartbeat", daemon=True)

    @contextmanager
    def beating(self, beat: Callable[[], None], lease_seconds: float) -> Iterator[None]:
        """Call `beat` several times per lease until the block is left, or there is nobody to hear it."""
        pause = min(lease_seconds / BEATS_PER_LEASE, LONGEST_SECONDS)
        with self._turn:
            self._beat = beat
            if pause != self._pause:
                self._pause = pause
                self._turn.notify()
        try:
            yield
        finally:
            with self._turn:
                self._beat = None

    def _keep_on(self) -> None:
        with self._turn:
            while not self._is_over:
                if self._turn.wait(self._pause) or self._beat is None:
                    continue
                try:
                    self._beat()
                except OSError:  # the thread that trains will find out too
                    self._beat = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._turn:
            self._is_over = True
            self._turn.notify()
        self._thread.join()
