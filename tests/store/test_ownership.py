"""Who owns a database: one process at a time, until it ends, however it ends."""

from __future__ import annotations

import os
import select
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.store.strangers import shut_out_of
from tunefast.errors import StorageError
from tunefast.store.ownership import StateDirectory

HOLD = """
import sys
from pathlib import Path
from tunefast.store.ownership import StateDirectory
with getattr(StateDirectory(Path(sys.argv[1])), sys.argv[2])():
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(database: Path, lock: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that takes the lock, says so, and lets go when its input ends."""
    command = [sys.executable, "-c", HOLD, str(database), lock]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def says_held(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether the process has the lock within so many seconds."""
    ready, _, _ = select.select([output(process)], [], [], seconds)
    return bool(ready) and output(process).readline() == b"held\n"


def output(process: subprocess.Popen[bytes]) -> IO[bytes]:
    """What the process prints."""
    assert process.stdout is not None
    return process.stdout


@pytest.mark.parametrize("lock", ["starting", "owning"])
def test_one_process_at_a_time(tmp_path: Path, lock: str) -> None:
    """A second process waits for the lock; the kernel hands it over when the first lets go, or is killed."""
    database = tmp_path / "a.db"
    with ExitStack() as stack:
        first = stack.enter_context(holder(database, lock))
        assert says_held(first, 30)
        second, third = (stack.enter_context(holder(database, lock)) for _ in range(2))
        assert not says_held(second, 0.5)
        assert not says_held(third, 0)
        first.kill()
        assert first.wait() < 0
        ready, _, _ = select.select([output(second), output(third)], [], [], 30)
        assert len(ready) == 1
        holds, waits = (second, third) if ready == [second.stdout] else (third, second)
        assert says_held(holds, 0)
        assert holds.stdin is not None
        holds.stdin.close()
        assert holds.wait() == 0
        assert says_held(waits, 30)


def test_the_locks_are_apart(tmp_path: Path) -> None:
    """Looking for a coordinator, holding one database, and holding another do not wait for each other."""
    one, another = StateDirectory(tmp_path / "a.db"), StateDirectory(tmp_path / "b.db")
    with one.starting(), one.owning(), another.starting(), another.owning():
        pass
    with pytest.raises(ZeroDivisionError), one.owning():
        raise ZeroDivisionError
    with one.owning():
        pass


def test_state_lies_beside_the_database(tmp_path: Path) -> None:
    """Locks and logs are in a directory of the user's own, named after the file."""
    state = StateDirectory(tmp_path / "a.db")
    assert state.path == tmp_path / "a.db.tunefast"
    assert state.logs == tmp_path / "a.db.tunefast" / "logs"
    assert stat.S_IMODE(state.path.stat().st_mode) == 0o700
    with pytest.raises(StorageError, match="cannot be written"):
        _ = StateDirectory(tmp_path / "missing" / "a.db").path


@pytest.mark.parametrize("runtime", [True, False])
def test_a_socket_has_a_short_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, runtime: bool) -> None:
    """However long the database's path, its socket's is one that the kernel takes, and is its own."""
    directory = Path(tempfile.mkdtemp())
    if runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(directory))
    else:
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
        monkeypatch.setattr("tempfile.tempdir", str(directory))
    long = tmp_path / ("x" * 200)
    long.mkdir()
    sockets = {StateDirectory(long / name).make_socket_path() for name in ("a.db", "b.db")}
    assert len(sockets) == 2
    for socket in sockets:
        assert socket.is_relative_to(directory)
        assert len(str(socket)) - len(str(directory)) < 50
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    monkeypatch.setattr("tempfile.tempdir", str(long))
    assert len(str(StateDirectory(long / "a.db").make_socket_path())) < 100
    link = tmp_path / "link.db"
    link.symlink_to(long / "a.db")
    assert StateDirectory(link).make_socket_path() == StateDirectory(long / "a.db").make_socket_path()


def test_a_strangers_directory_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody gets to put another's socket where we would look for our own."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    me = os.getuid()
    _ = StateDirectory(tmp_path / "a.db").make_socket_path()
    monkeypatch.setattr(os, "getuid", lambda: me + 1)
    with pytest.raises(StorageError, match="only you can open"):
        _ = StateDirectory(tmp_path / "a.db").make_socket_path()


def test_who_may_not_enter_is_told_so(tmp_path: Path) -> None:
    """Whoever may read a database, but not talk to its coordinator, gets a message that says why."""
    state = StateDirectory(tmp_path / "a.db")
    state.announce(tmp_path / "socket")
    with shut_out_of(state.path):
        with pytest.raises(StorageError, match=r"a\.db\.tunefast: is another user's"):
            _ = state.socket
        with pytest.raises(StorageError, match=r"a\.db\.tunefast: is another user's"):
            state.trials("uuid")
    assert state.socket == tmp_path / "socket"
