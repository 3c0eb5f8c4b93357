"""Finding the coordinator of a database, or starting one."""

from __future__ import annotations

import json
import subprocess
import sys

from tunefast.errors import CoordinatorLost
from tunefast.run.channel import Channel
from tunefast.run.commands import connect, refusal
from tunefast.run.messages import Refused
from tunefast.store.ownership import StateDirectory

READY = "ready"
"""What a coordinator prints when it listens."""


def find_or_start(state: StateDirectory) -> Channel:
    """A channel to the database's coordinator, which is started where there is none.

    However many processes call this at once, one coordinator is started. Raises what keeps it from starting.
    """
    with state.starting():
        channel = connect(state)
        if channel is None:
            _start(state)
            channel = connect(state)
        if channel is None:
            raise CoordinatorLost(storage=state.database, problem="it ended as it started")
        return channel


def _start(state: StateDirectory) -> None:
    """Start a coordinator, detached from this process and its terminal, and wait until it listens."""
    log_path = state.logs / "coordinator.log"
    command = [sys.executable, "-m", "tunefast.run.server", str(state.database)]
    with log_path.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True, text=True
        )
    with process:
        said = process.stdout.readline().strip() if process.stdout is not None else ""
    if said == READY:
        return
    if said.startswith("{"):
        raise refusal(Refused(**json.loads(said)))
    raise CoordinatorLost(storage=state.database, problem=f"it did not start; see {log_path}")
