"""Who owns a database: exactly one process at a time, told by a lock beside the file."""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tunefast.errors import StorageError

STARTING_SECONDS = 90.0
OWNING_SECONDS = 20.0
POLL_SECONDS = 0.02

LONGEST_SOCKET_PATH = 100
"""Bytes; Linux allows 107, macOS 103."""


@dataclass(frozen=True)
class StateDirectory:
    """What tunefast keeps beside the database file: ``<database>.tunefast/`` with locks and logs."""

    database: Path

    @property
    def path(self) -> Path:
        """The directory itself, made if need be. Raises `StorageError` where it cannot be, or is another user's."""
        path = self._place
        try:
            path.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StorageError(storage=self.database, problem=f"cannot be written ({error})") from error
        if not os.access(path, os.R_OK | os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
            raise self._closed
        return path

    @property
    def _closed(self) -> StorageError:
        return StorageError(storage=self._place, problem="is another user's, who alone can work on these studies")

    @property
    def _place(self) -> Path:
        """Where the directory is, for who only looks."""
        return self.database.with_name(self.database.name + ".tunefast")

    @property
    def logs(self) -> Path:
        """Where the coordinator and the workers write their logs."""
        logs = self.path / "logs"
        logs.mkdir(exist_ok=True)
        return logs

    def trials(self, study_uuid: str) -> Path:
        """Where the trials of a study keep files of their own, each in a directory of its number; not made here."""
        return self.path.absolute() / "trials" / study_uuid

    def make_socket_path(self) -> Path:
        """Where a coordinator of the database is to listen: short, in a directory of the user's own.

        Raises `StorageError` where that directory is open to others.
        """
        name = f"{hashlib.blake2b(str(self.database.resolve()).encode(), digest_size=10).hexdigest()}.sock"
        runtime, own = os.environ.get("XDG_RUNTIME_DIR"), f"tunefast-{os.getuid()}"
        places = [Path(tempfile.gettempdir()) / own, Path("/tmp") / own]  # noqa: S108  looked at below
        places[:0] = [Path(runtime) / "tunefast"] if runtime else []
        fitting = (place for place in places if len(os.fsencode(place / name)) <= LONGEST_SOCKET_PATH)
        base = next(fitting, places[-1])
        base.mkdir(mode=0o700, exist_ok=True, parents=True)
        status = base.lstat()
        if status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode) or status.st_mode & 0o077:
            raise StorageError(storage=base, problem="must be a directory that only you can open (mode 700)")
        return base / name

    @property
    def socket(self) -> Path | None:
        """Where the database's coordinator says that it listens, whatever the environment it was started in.

        Raises `StorageError` where it is another user's.
        """
        try:
            return Path((self._place / "socket").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise self._closed from error

    def announce(self, socket: Path) -> None:
        """Say where the coordinator listens."""
        (self.path / "socket").write_text(str(socket), encoding="utf-8")

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Held by whoever looks for a coordinator and starts one if there is none; others wait for their turn."""
        with self._locked("starting.lock", STARTING_SECONDS):
            yield

    @contextmanager
    def owning(self) -> Iterator[None]:
        """Held by the process that writes the database, for as long as it does; waits for the one before to let go."""
        with self._locked("owner.lock", OWNING_SECONDS):
            yield

    @contextmanager
    def _locked(self, name: str, patience_seconds: float) -> Iterator[None]:
        """An exclusive lock that the kernel releases when its process ends, however it ends; its holder's id is in it.

        Raises `StorageError` where somebody else does not let go.
        """
        end = time.monotonic() + patience_seconds
        with (self.path / name).open("a+", encoding="utf-8") as handle:
            while not _taken(handle):
                if time.monotonic() > end:
                    handle.seek(0)
                    problem = f"is in use by process {handle.read().strip() or '?'}, which does not answer"
                    raise StorageError(storage=self.database, problem=problem)
                time.sleep(POLL_SECONDS)  # the kernel has no lock with a deadline
            handle.truncate(0)
            handle.write(str(os.getpid()))
            handle.flush()
            yield


def _taken(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
