"""Worker processes on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

from tunefast.store.ownership import StateDirectory


async def spawn_worker(state: StateDirectory, socket: Path, name: str) -> asyncio.subprocess.Process:
    """Start the worker `name`, to connect to `socket`, in a session of its own, so that Ctrl-C reaches its host alone.

    The worker ends when its standard input does, and writes what it prints to its log.
    """
    with worker_log(state, name).open("ab") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tunefast.run.worker",
            str(socket),
            str(os.getpid()),
            name,
            stdin=asyncio.subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def kill_group(pid: int) -> None:
    """Kill the process `pid`, which leads a session of its own, and what it has started; it may be gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def worker_log(state: StateDirectory, name: str) -> Path:
    """The log file of the worker `name`."""
    return state.logs / f"{name}.log"
