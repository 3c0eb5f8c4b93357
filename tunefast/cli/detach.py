"""Working on a study without a terminal: a process of its own that goes on when the terminal closes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from tunefast.cli.output import console, print_json, show_typed
from tunefast.shell import command
from tunefast.store.ownership import StateDirectory

READY_VARIABLE = "TUNEFAST_READY_FD"
"""Names the file descriptor on which a detached process says that its workers are starting."""
LOG_LINES = 15


def detach(database: Path, study: str, options: Sequence[str], storage: str, *, to_json: bool) -> int:
    """Start ``worker start STUDY OPTIONS`` in a session of its own; returns the exit code once it is at work."""
    log = StateDirectory(database).logs / f"host-{datetime.now().astimezone():%Y%m%d-%H%M%S}-{os.getpid()}.log"
    ready, says = os.pipe()
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "tunefast", "worker", "start", study, "--storage", storage, *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, READY_VARIABLE: str(says)},
            pass_fds=(says,),
            start_new_session=True,
        )
    os.close(says)
    with os.fdopen(ready) as pipe:
        is_ready = bool(pipe.readline())
    out = console(to_json=to_json)
    if not is_ready:
        code = process.wait()
        out.print("\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]))
        return code
    if to_json:
        print_json({"study": study, "pid": process.pid, "log": str(log)})
    out.print(f"Process {process.pid} works on study {study}, whatever becomes of this terminal.")
    watch, logs = ("study", "watch", study), ("study", "logs", study, "-f")
    commands = [(command(*watch, storage=storage), "look at it")]
    commands.append((command(*logs, storage=storage), "what its trials print"))
    commands.append((f"kill {process.pid}", "stop it at the next epoch end"))
    show_typed(out, commands)
    return 0


def say_ready(note: Callable[[str], None]) -> Callable[[str], None]:
    """`note`, whose first call tells the process that detached this one, if one did; hang-ups are ignored then."""
    said = os.environ.pop(READY_VARIABLE, None)
    if said is None:
        return note
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    waiting = [int(said)]

    def noted(text: str) -> None:
        note(text)
        while waiting:
            pipe = waiting.pop()
            os.write(pipe, b"ready\n")
            os.close(pipe)

    return noted
