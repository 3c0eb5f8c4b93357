"""Running the real command line in real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.zygote import Zygote
from tunefast.errors import UserError
from tunefast.store.snapshot import StudySnapshot, snapshot

REPOSITORY = Path(__file__).parents[2]
DEADLINE_SECONDS = 300.0


@dataclass
class Terminal:
    """A working directory in which commands are typed."""

    directory: Path
    environment: dict[str, str] = field(default_factory=dict)
    zygote: Zygote | None = None
    """What commands that run to their end are forked from; without it each is loaded anew."""

    @property
    def database(self) -> Path:
        """The default database."""
        return self.directory / "tunefast.db"

    def tunefast(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; it must leave with `code`."""
        done = self._run(arguments)
        assert done.returncode == code, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run a command with --json; the one document that it prints."""
        return json.loads(self.tunefast(*arguments, "--json", code=code).stdout)

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A command that runs in the background, and is killed at the end of the block if it still does."""
        process = subprocess.Popen(
            self._command(arguments),
            cwd=self.directory,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        with process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()

    def study(self, name: str) -> StudySnapshot:
        """The study as it is now."""
        return snapshot(self.database, name)

    def counts(self, name: str) -> dict[str, int]:
        """The study's trials by state; none where there is no such study yet."""
        try:
            return self.study(name).counts
        except UserError:
            return {}

    def write(self, name: str, text: str) -> Path:
        """A file in the working directory."""
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        return path

    def _run(self, arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        if self.zygote is not None:
            return self.zygote.run(arguments, self.directory, self._environment(), DEADLINE_SECONDS)
        return subprocess.run(
            self._command(arguments),
            cwd=self.directory,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "tunefast", *arguments]

    def _environment(self) -> dict[str, str]:
        path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
        programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        return {**os.environ, "PYTHONPATH": path, "PATH": programs, "COLUMNS": "80", **self.environment}


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Look again and again until `condition` holds; fail with `what` at the deadline."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(0.05)


def ended(process: subprocess.Popen[str], code: int) -> str:
    """What a background command printed; it must end, with `code`."""
    output, _ = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == code, f"exit {process.returncode}\n{output}"
    return output


def listen(process: subprocess.Popen[str], text: str) -> str:
    """Read what a background command prints up to the line with `text`; that line."""
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return line
    raise AssertionError(f"the command ended without saying {text!r}")


def worker_pids(terminal: Terminal) -> dict[int, int | None]:
    """The workers at work by process id, each with the trial it trains."""
    found: dict[int, int | None] = {}
    for row in terminal.json("worker", "list")["workers"]:
        found[row["pid"]] = row["trial"]
    return found


def kill(pid: int) -> None:
    """SIGKILL."""
    os.kill(pid, signal.SIGKILL)


def busiest_moment(study: StudySnapshot) -> int:
    """The most threads that trained at one time, by the study's own records of attempts."""
    events: list[tuple[Any, int]] = []
    for row in study.attempts:
        assert row["ended_at"] is not None
        events += [(row["started_at"], row["threads"]), (row["ended_at"], -row["threads"])]
    busy = most = 0
    for _, change in sorted(events, key=lambda event: (event[0], event[1])):
        busy += change
        most = max(most, busy)
    return most
