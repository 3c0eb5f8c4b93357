"""The guard of a program: what it passes on and keeps, and whom it ends."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import IO

from tests.integration.processes import wait_until
from tests.run.script.test_drive import lives
from tunefast.run.script import guard


def guarded(script: str, kept: Path, before: str = "") -> subprocess.Popen[bytes]:
    """A script under a guard that keeps its lines there."""
    words = [sys.executable, "-c", textwrap.dedent(script)]
    start = [sys.executable, "-IS", guard.__file__]
    if before:
        start = [
            sys.executable,
            "-c",
            f"import runpy, sys; {before}; del sys.argv[0]; runpy.run_path({guard.__file__!r}, run_name='__main__')",
            guard.__file__,
        ]
    with kept.open("ab") as file:
        return subprocess.Popen(
            [*start, str(file.fileno()), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(file.fileno(),),
            process_group=0,
        )


def read(pipe: IO[bytes] | None) -> bytes:
    """All that comes through a pipe."""
    assert pipe is not None
    return pipe.read()


def kept_lines(path: Path) -> list[bytes]:
    """What was kept, without its seconds."""
    return [line.partition(b" ")[2] for line in path.read_bytes().split(b"\n")[1:]]


def test_what_passes_and_what_stays(tmp_path: Path) -> None:
    """Output passes to the byte, and the exit code; lines that may be objects stay, in whatever pieces they come."""
    script = r"""
        import os, sys, time
        for piece in (b'hello\n', b' {"a"', b': 1}\n{"b": 2}\nbar 1%\rbar 2%', b'\r{"c": 3}\n', b'\xff\n{"d": 4}'):
            os.write(1, piece)
            time.sleep(0.05)
        sys.stderr.write("an error\n")
        sys.exit(3)
    """
    with guarded(script, tmp_path / "kept") as process:
        out, err = read(process.stdout), read(process.stderr)
    assert (out, err) == (b'hello\n {"a": 1}\n{"b": 2}\nbar 1%\rbar 2%\r{"c": 3}\n\xff\n{"d": 4}', b"an error\n")
    assert process.returncode == 3
    assert kept_lines(tmp_path / "kept") == [b' {"a": 1}', b'{"b": 2}']


def test_endless_lines(tmp_path: Path) -> None:
    """A line without an end costs no memory and is not kept, whatever it begins with; the next one is."""
    script = """
        import sys
        for begin in ("x", "{"):
            sys.stdout.write(begin)
            for _ in range(320):
                sys.stdout.write("-" * 65536)
            sys.stdout.write('\\n{"a": 1}\\n')
    """
    with guarded(script, tmp_path / "kept") as process:
        out = read(process.stdout)
    assert len(out) == 2 * (1 + 320 * 65536 + 1 + 9)
    assert kept_lines(tmp_path / "kept") == [b'{"a": 1}'] * 2


def test_told_to_keep_nothing(tmp_path: Path) -> None:
    """From then on, and of what was."""
    script = """
        import time
        print('{"a": 1}', flush=True)
        time.sleep(0.5)
        print('{"a": 2}', flush=True)
    """
    with guarded(script, tmp_path / "kept") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b'{"a": 1}\n'
        process.stdin.write(b".")
        process.stdin.flush()
        assert process.stdout.readline() == b'{"a": 2}\n'
    assert (tmp_path / "kept").read_bytes() == b""


def test_somebody_outside_of_the_group(tmp_path: Path) -> None:
    """Who left the group is not listened to for ever: it is on its own soon, and nobody waits for it."""
    script = """
        import os, time
        if not os.fork():
            os.setsid()
            for number in range(1000):
                print('{"a": %d}' % number, flush=True)
                time.sleep(0.1)
        time.sleep(600)
    """
    with guarded(script, tmp_path / "kept") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b'{"a": 0}\n'
        process.stdin.close()
        began = time.monotonic()
        process.stdout.read()  # until nobody has the other end
        assert time.monotonic() - began < guard.LATE_SECONDS + 4
    assert 10 < len(kept_lines(tmp_path / "kept")) < 100


def test_no_process_to_be_had(tmp_path: Path) -> None:
    """Without one for the last words the program is ended all the same."""
    script = """
        import os, time
        print(os.getpid(), flush=True)
        time.sleep(600)
    """
    no_more_forks = "import os; os.fork = lambda: (_ for _ in ()).throw(BlockingIOError(11, 'no more'))"
    with guarded(script, tmp_path / "kept", no_more_forks) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        number = int(process.stdout.readline())
        process.stdin.close()
        assert process.stdout.read() == b""
    wait_until(lambda: not lives(number), "the program has ended")
