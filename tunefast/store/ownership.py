"""Who owns a database: exactly one process at a time, told by a lock beside the file."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tunefast.errors import StorageError


@dataclass(frozen=True)
class StateDirectory:
    """What tunefast keeps beside the database file: ``<database>.tunefast/`` with locks and logs."""

    database: Path

    @property
    def path(self) -> Path:
        """The directory itself, made if need be."""
        path = self.database.with_name(self.database.name + ".tunefast")
        try:
            path.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StorageError(storage=self.database, problem=f"cannot be written ({error})") from error
        return path

    @property
    def logs(self) -> Path:
        """Where the coordinator and the workers write their logs."""
        logs = self.path / "logs"
        logs.mkdir(exist_ok=True)
        return logs

    @property
    def socket(self) -> Path:
        """Where the database's coordinator listens. Short, in a directory of the user's own, as sockets want it."""
        runtime = os.environ.get("XDG_RUNTIME_DIR")
        base = Path(runtime) / "tunefast" if runtime else Path(tempfile.gettempdir()) / f"tunefast-{os.getuid()}"
        base.mkdir(mode=0o700, exist_ok=True, parents=True)
        if base.stat().st_uid != os.getuid():
            raise PermissionError(f"{base} belongs to somebody else")
        name = hashlib.blake2b(str(self.database.resolve()).encode(), digest_size=10).hexdigest()
        return base / f"{name}.sock"

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Held by whoever looks for a coordinator and starts one if there is none; others wait for their turn."""
        with _flocked(self.path / "starting.lock"):
            yield

    @contextmanager
    def owning(self) -> Iterator[None]:
        """Held by the process that writes the database, for as long as it does; waits for the one before to let go."""
        with _flocked(self.path / "owner.lock"):
            yield


@contextmanager
def _flocked(path: Path) -> Iterator[None]:
    """An exclusive lock that the kernel releases when its process ends, however it ends."""
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
