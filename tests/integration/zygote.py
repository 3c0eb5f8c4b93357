"""Commands as forks of one process that has loaded the command line: loading it takes a processor second.

``python -m tests.integration.zygote FD``: serves the Unix socket FD until its other end is closed. Each fork is a real
process with arguments, working directory, environment and output of its own, in a session of its own.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tunefast.loading import loading

LARGEST_REQUEST = 2**20
LOADED = ("tunefast.cli.app", "alembic.context", "plotly.graph_objects")
"""What commands find loaded: all that most of them would import. None of it starts a thread that work is left to."""


class Zygote:
    """The process that forks, as its user sees it."""

    def __init__(self, repository: Path) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", "tests.integration.zygote", str(theirs.fileno())]
            self._process = subprocess.Popen(
                command, cwd=repository, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
            )

    def run(
        self, arguments: Sequence[str], directory: Path, environment: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; raises `subprocess.TimeoutExpired` as `subprocess.run` does."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            with theirs:
                request = {"arguments": list(arguments), "directory": str(directory), "environment": dict(environment)}
                handles = [theirs.fileno(), output.fileno(), errors.fileno()]
                socket.send_fds(self._socket, [json.dumps(request).encode()], handles)
            ours.settimeout(timeout)
            pid = int(ours.recv(32))
            try:
                code = int(ours.recv(32))
            except TimeoutError:
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(list(arguments), timeout) from None
            texts = []
            for file in (output, errors):
                file.seek(0)
                texts.append(file.read().decode())
        return subprocess.CompletedProcess(list(arguments), code, *texts)

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self._process.wait()


def serve(requests: socket.socket) -> None:
    """Fork for every request until there are no more of them."""
    with loading():
        for module in LOADED:
            importlib.import_module(module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait for the commands
    while True:
        message, handles, _, _ = socket.recv_fds(requests, LARGEST_REQUEST, 3)
        if not message:
            return
        if os.fork() == 0:
            requests.close()
            _supervise(json.loads(message), *handles)
        for handle in handles:
            os.close(handle)


def _supervise(request: dict[str, Any], answers: int, output: int, errors: int) -> None:
    """Fork the command, say its process id, wait for it, and say how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(answers)
        _become(request, output, errors)
    os.write(answers, str(pid).encode())
    _, status = os.waitpid(pid, 0)
    with suppress(BrokenPipeError):
        os.write(answers, str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _become(request: dict[str, Any], output: int, errors: int) -> None:
    """Be the command."""
    os.setsid()
    os.dup2(output, 1)
    os.dup2(errors, 2)
    os.closerange(3, max(output, errors) + 1)
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[0] = request["directory"]
    sys.argv = ["tunefast", *request["arguments"]]
    code = 1
    try:
        from tunefast.cli.app import main

        main()
        code = 0
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
