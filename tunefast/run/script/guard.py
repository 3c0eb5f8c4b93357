"""Runs a program so that it ends with whoever started it, however that went, and what it said until then is kept.

``python guard.py KEPT WORD ...``, started as the leader of a process group: runs the words as a program in it, ignores
SIGTERM and SIGINT, and leaves with the program's exit code. What the program prints is passed on; its lines that may be
JSON objects are written before that to the file that is open as number KEPT, each after the seconds since the start.
Standard input tells what to do: any byte is to keep no lines, nor those that were. Its end is to kill the group: a
worker that was killed leaves neither a program behind nor what that has started in the group, and the file has what
they had written into their pipes by then.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time

STDIN, STDOUT, STDERR = range(3)
NOT_STARTED = 127
"""Exit code where the program cannot be started, as shells have it."""
CHUNK_BYTES = 2**16
MAX_LINE_BYTES = 2**20
"""Of a line that may be read, or kept."""
LATE_SECONDS = 5.0
"""For the last words of a group that was killed, where somebody outside of it holds its output open."""


class Output:
    """What a program prints, on its way through."""

    def __init__(self, source: int, target: int, kept: int | None) -> None:
        self._source = source
        self._target = target
        self._kept = kept
        self._begun = b""
        """A line whose end did not come yet; of one that is not kept, something that is not either."""
        self._start = time.monotonic()

    def pass_on(self) -> bool:
        """Keep and pass on what there is, or what comes next; False at the end."""
        chunk = os.read(self._source, CHUNK_BYTES)
        if self._kept is not None:
            self._keep(chunk, self._kept)
        left = chunk
        with contextlib.suppress(BrokenPipeError):  # the worker is gone, and standard input ends next
            while left:
                left = left[os.write(self._target, left) :]
        return bool(chunk)

    def forget(self) -> None:
        """Keep no lines, nor those that were."""
        if self._kept is not None:
            os.ftruncate(self._kept, 0)
        self._kept = None

    def _keep(self, chunk: bytes, kept: int) -> None:
        *lines, begun = (self._begun + chunk).split(b"\n")
        self._begun = begun if _may_be_object(begun) else b"-"
        seconds = time.monotonic() - self._start
        kept_lines = [line for line in lines if line and _may_be_object(line)]
        with contextlib.suppress(OSError):  # the disk is full
            os.write(kept, b"".join(b"\n%.6f %s" % (seconds, line) for line in kept_lines))  # parted from a torn one


def _may_be_object(line: bytes) -> bool:
    """Whether a line, or the begin of one, may be a JSON object."""
    return len(line) < MAX_LINE_BYTES and line.lstrip()[:1] in (b"", b"{")


Outputs = dict[int, Output]
"""By the file that they are read from."""


def main(kept: int, words: list[str]) -> int:
    """Run the program; returns its exit code, 128 and the signal's number where a signal ended it."""
    ended = _wakened_by_children()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ignored)  # unlike SIG_IGN, not handed on to the program
    (out, out_end), (err, err_end) = os.pipe(), os.pipe()
    try:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out_end, stderr=err_end)  # noqa: S603
    except OSError as error:
        sys.stderr.write(f"{words[0]}: cannot be started ({error.strerror})\n")
        return NOT_STARTED
    os.close(out_end)
    os.close(err_end)
    outputs = {out: Output(out, STDOUT, kept), err: Output(err, STDERR, None)}
    while process.poll() is None:
        ready = _pass_on(outputs, [STDIN, ended])
        if ended in ready:
            os.read(ended, CHUNK_BYTES)
        if STDIN in ready:
            _obey(outputs)
    _pass_on_rest(outputs, 0)
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _pass_on(outputs: Outputs, besides: list[int], seconds: float | None = None) -> list[int]:
    """Wait for something to read, or for so long; passes on what was printed, and leaves out what has ended."""
    ready, _, _ = select.select([*outputs, *besides], [], [], seconds)
    for source in ready:
        if source in outputs and not outputs[source].pass_on():
            del outputs[source]
    return ready


def _pass_on_rest(outputs: Outputs, seconds: float) -> None:
    """Pass on what there is, and what comes within so long, until the end."""
    deadline = time.monotonic() + LATE_SECONDS
    while outputs and (left := deadline - time.monotonic()) > 0 and _pass_on(outputs, [], min(left, seconds)):
        pass


def _wakened_by_children() -> int:
    """The end of a pipe that can be read from when a child has ended."""
    ended, wakener = os.pipe()
    os.set_blocking(wakener, False)
    signal.set_wakeup_fd(wakener, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _ignored)
    return ended


def _ignored(number: int, frame: object) -> None:
    """Leave it to the program."""


def _obey(outputs: Outputs) -> None:
    """Do what standard input tells."""
    if not os.read(STDIN, CHUNK_BYTES):
        _end_all(outputs)
    for output in outputs.values():
        output.forget()


def _end_all(outputs: Outputs) -> None:
    """Kill the group, and take in what it printed before; this needs a process outside of it."""
    group = os.getpgrp()
    try:
        child = os.fork()
    except OSError:  # too many processes: the kill matters more
        os.killpg(group, signal.SIGKILL)
        raise
    if child:
        while True:
            signal.pause()
    os.setpgid(0, 0)
    os.killpg(group, signal.SIGKILL)
    _pass_on_rest(outputs, LATE_SECONDS)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
