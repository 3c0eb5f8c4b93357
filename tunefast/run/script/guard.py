"""Runs a program so that it ends with whoever started it, however that went.

``python guard.py WORD ...``, started as the leader of a process group: runs the words as a program in it, ignores
SIGTERM and SIGINT, and leaves with the program's exit code. When its standard input ends, everything in the group is
killed: a worker that was killed leaves no program behind, nor what that has started.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

NOT_STARTED = 127
"""Exit code where the program cannot be started, as shells have it."""


def main(words: list[str]) -> int:
    """Run the program; returns its exit code, 128 and the signal's number where a signal ended it."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ignored)  # unlike SIG_IGN, not handed on to the program
    try:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL)  # noqa: S603
    except OSError as error:
        sys.stderr.write(f"{words[0]}: cannot be started ({error.strerror})\n")
        return NOT_STARTED
    threading.Thread(target=_end_with_starter, daemon=True).start()
    code = process.wait()
    return code if code >= 0 else 128 - code


def _ignored(number: int, frame: object) -> None:
    """Leave it to the program."""


def _end_with_starter() -> None:
    """Wait for the end of standard input, and kill the group."""
    while os.read(0, 1024):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
