"""Syncing: waits for the disk in a thread of its own, so that who commits need not."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tunefast.errors import DiskFull

Then = Callable[[DiskFull | None], None]
"""Called with what keeps the disk from being written, if anything does."""
COMMITS_PER_CHECKPOINT = 50
"""After so many the log is copied into the database."""
_sync = getattr(os, "fdatasync", os.fsync)  # what SQLite itself takes, where there is one


class Syncing:
    """Puts on disk what was committed to a database with ``synchronous=NORMAL``, and keeps its log short.

    That and a sync of the write-ahead log are what ``synchronous=FULL`` does for a commit. Here one sync is for all
    commits before it, it keeps no lock, and nobody else waits for it. For checkpoints, which sync as well, only a
    transaction waits that begins meanwhile: up to 3.51.2 SQLite can damage a log that one connection resets while
    another copies it (https://sqlite.org/wal.html, "the WAL-reset bug").
    """

    def __init__(self, database: Path) -> None:
        self._path = Path(os.path.realpath(database))
        self._log: int | None = None
        """Open all the time: who opens it later is not told of errors before."""
        self.error: DiskFull | None = None
        """What kept the disk from being written. That stays so: what a sync lost, the next one does not look for."""
        self._checkpointer: sqlite3.Connection | None = None
        self._num_commits = 0
        self._waiting: list[Then] = []
        self._turn = threading.Lock()
        self.writing = threading.Lock()
        """Held by who writes to the database."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="syncing")

    def after(self, then: Then) -> None:
        """Call `then`, from another thread, once all that is committed now is on disk, or cannot be."""
        with self._turn:
            self._waiting.append(then)
            is_first = len(self._waiting) == 1
        if is_first:
            self._thread.submit(self._sync_for_all)

    def _sync_for_all(self) -> None:
        with self._turn:
            waiting, self._waiting = self._waiting, []
        error = self.sync()
        for then in waiting:
            then(error)

    def sync(self) -> DiskFull | None:
        """Put on disk all that is committed; returns what keeps it, or kept it before, from that."""
        try:
            if self._log is None:
                self._log = os.open(f"{self._path}-wal", os.O_RDWR)
            _sync(self._log)
        except OSError as error:
            self.error = DiskFull(storage=self._path, problem=error.strerror)
        return self.error

    def note_commit(self) -> None:
        """Something was committed: now and then the log is copied into the database, soon."""
        self._num_commits += 1
        if self._num_commits % COMMITS_PER_CHECKPOINT == 0:
            self._thread.submit(self._checkpoint)

    def _checkpoint(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # as SQLite itself does: what was committed is in the log all the same
            if self._checkpointer is None:
                self._checkpointer = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
            with self.writing:
                self._checkpointer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def close(self) -> None:
        """Wait until all that was asked for is done."""
        self._thread.shutdown()
        if self._log is not None:
            os.close(self._log)
            self._log = None
        if self._checkpointer is not None:
            self._checkpointer.close()
            self._checkpointer = None
