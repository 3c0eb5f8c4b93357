"""Says to tunefast how a training goes. One file, standard library only: copy it beside your script.

    from tunefast_report import report

    for epoch in range(1, epochs + 1):
        ...
        if report(epoch=epoch, val_accuracy=accuracy) != "continue":
            break

The answer is "continue", "prune" (others are better), "stop" (good enough, or the time is up) or "pause" (save what is
needed to go on later). A script that does not look at it is ended with SIGTERM. Without tunefast, and in all processes
of a distributed training but the first, nothing is reported and the answer is "continue".
"""

import json
import os
import socket
from collections.abc import Mapping
from typing import Any

_connections: list[Any] = []


def report(metrics: Mapping[str, Any] | None = None, **more: Any) -> str:
    """Report the numbers of an epoch, as a dict or by name; returns how to go on.

    With `epoch`, counted from 0 or 1, a script that goes on from its own checkpoint is understood.
    """
    numbers = {name: float(value) for name, value in dict(metrics or {}, **more).items()}
    connection = _connection()
    if connection is None:
        return "continue"
    connection.write(json.dumps(numbers) + "\n")
    connection.flush()
    line = connection.readline()
    return str(json.loads(line)["verdict"]) if line else "pause"


def checkpoints() -> str | None:
    """The directory for this trial's checkpoints, the same after a restart; None without tunefast."""
    return os.environ.get("TUNEFAST_CHECKPOINTS")


def seed(default: int = 0) -> int:
    """The trial's seed."""
    return int(os.environ.get("TUNEFAST_SEED", default))


def device(default: str = "cpu") -> str:
    """Where to train, as torch writes it: cpu, cuda. Other GPUs than the trial's are hidden."""
    return os.environ.get("TUNEFAST_DEVICE", default)


def threads(default: int | None = None) -> int | None:
    """CPU threads to use."""
    found = os.environ.get("TUNEFAST_THREADS")
    return default if found is None else int(found)


def settings() -> dict[str, Any]:
    """The trial's settings as nested dicts; empty without tunefast."""
    return dict(json.loads(os.environ.get("TUNEFAST_SETTINGS", "{}")))


def _connection() -> Any:
    """The connection to tunefast, kept open; None where there is nobody to report to."""
    path = os.environ.get("TUNEFAST_SOCKET")
    if not path or os.environ.get("RANK", "0") != "0":
        return None
    if not _connections:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(path)
        _connections.append(connection.makefile("rw", encoding="utf-8"))
    return _connections[0]
