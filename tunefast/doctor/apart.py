"""Examining a training in a process of its own, for no longer than was asked for."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tunefast.doctor.diagnosis import Diagnosis
from tunefast.doctor.findings import FINDING, Doing, Failed, Finding, Gain, Ready, Request, Seen, Tried, Trouble
from tunefast.errors import TunefastError

TAIL_BYTES = 2000


def diagnosed(request: Request, on_doing: Callable[[str], None] = lambda _what: None) -> Diagnosis:
    """What is found within the seconds of `request`, which begin after the first step; `on_doing` says what is tried.

    Where a step takes long that is one step and no remedy. Raises `ValueError` where the training fails.
    """
    # What compilers it starts still write when they are ended may be left in its directory.
    directory = tempfile.TemporaryDirectory(prefix="tunefast-doctor-", ignore_cleanup_errors=True)
    with tempfile.TemporaryFile() as log, directory as compiled:
        process = subprocess.Popen(
            [sys.executable, "-m", "tunefast.doctor.process"],
            env={**os.environ, **_nothing_compiled(Path(compiled))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # with the compilers that it starts
        )
        with process:
            try:
                return _heard(process, request, on_doing, log)
            finally:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)


def _nothing_compiled(directory: Path) -> dict[str, str]:
    """Let torch find nothing compiled, so that compiling takes in each examination what it takes the first time."""
    return {"TORCHINDUCTOR_CACHE_DIR": str(directory), "TRITON_CACHE_DIR": str(directory / "triton")}


@dataclass
class _Heard:
    """What was found so far."""

    request: Request
    on_doing: Callable[[str], None]
    seen: Seen | None = None
    tried: list[Gain | Failed] = field(default_factory=list)
    doing: str = ""
    until: float | None = None
    """When the time is over, by the monotonic clock."""
    trouble: str = ""
    """What ended the process before the time was over."""

    @property
    def seconds_left(self) -> float | None:
        """How long to wait for more; None for as long as it takes, until it is known where the time goes."""
        return None if self.until is None or self.seen is None else max(0.0, self.until - time.monotonic())

    def take(self, finding: Finding) -> None:
        """Take in a finding. Raises `ValueError` where the training fails, and not just with a remedy."""
        match finding:
            case Ready():
                self.until = time.monotonic() + self.request.seconds
            case Doing():
                self.doing = finding.what
                self.on_doing(finding.what)
            case Seen():
                self.seen = finding
            case Tried():
                self.tried.append(finding.result)
            case Trouble() if self.seen is None:
                raise ValueError(finding.problem)
            case Trouble():
                self.end(finding.problem.strip().rpartition("\n")[2])

    def end(self, trouble: str = "the process that measures ended") -> None:
        """Nothing more comes, since there was this trouble; the first counts."""
        self.trouble = self.trouble or trouble

    @property
    def results(self) -> list[Gain | Failed]:
        """What came of each remedy, of those too that were not tried to their end; none before it is known which."""
        left = [] if self.seen is None else self.seen.remedies[len(self.tried) :]
        midst, before = "it had not ended when the time was over", "the time was over before"
        if self.trouble:
            midst, before = self.trouble, "the process that measures had ended"
        return [*self.tried, *(Failed(each, midst if each.name == self.doing else before) for each in left)]


def _heard(
    process: subprocess.Popen[bytes], request: Request, on_doing: Callable[[str], None], log: IO[bytes]
) -> Diagnosis:
    if process.stdin is None or process.stdout is None:
        raise TunefastError("a process without pipes")
    process.stdin.write(request.model_dump_json().encode() + b"\n")
    process.stdin.flush()
    findings, heard = _findings(process.stdout), _Heard(request, on_doing)
    with contextlib.suppress(queue.Empty):  # the time is over
        while (finding := findings.get(timeout=heard.seconds_left)) is not None:
            heard.take(finding)
        heard.end()
    if heard.seen is None:
        log.seek(max(0, log.seek(0, 2) - TAIL_BYTES))
        raise TunefastError(f"the process that measures ended:\n{log.read().decode(errors='replace').strip()}")
    return Diagnosis.of(heard.seen, heard.results)


def _findings(output: IO[bytes]) -> queue.SimpleQueue[Finding | None]:
    """What the process says as it says it; None at its end."""
    found: queue.SimpleQueue[Finding | None] = queue.SimpleQueue()

    def read() -> None:
        for line in output:
            found.put(FINDING.validate_json(line))
        found.put(None)

    threading.Thread(target=read, daemon=True).start()
    return found
