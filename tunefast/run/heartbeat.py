"""A heartbeat: while a worker has a trial, a thread of its own says that it lives, and how far it has got."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

BEATS_PER_LEASE = 6
LONGEST_SECONDS = 5.0
"""Between two beats, however long a lease is."""


@contextmanager
def heartbeat(beat: Callable[[], None], lease_seconds: float) -> Iterator[None]:
    """Call `beat` several times per lease until the block is left, or there is nobody to hear it."""
    over = threading.Event()
    pause = min(lease_seconds / BEATS_PER_LEASE, LONGEST_SECONDS)

    def keep_on() -> None:
        while not over.wait(pause):
            try:
                beat()
            except OSError:  # the thread that trains will find out too
                return

    thread = threading.Thread(target=keep_on, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
