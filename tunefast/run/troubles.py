"""Troubles: whose fault it is that a trial ended by an error, and what follows from that."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from tunefast.errors import DataError
from tunefast.recipe.own_errors import own_traceback
from tunefast.run.script.drive import ProgramError
from tunefast.spec.progress import OUT_OF_MEMORY, Ending, Outcome, Returned
from tunefast.train.objective import ObjectiveError

MAX_ERROR_CHARS = 8000
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NATIVE = ("SafetensorError", "Error")
"""Names of errors that libraries raise in C++ or Rust, or shutil."""
_NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded|os error 28\b")
_NO_MEMORY = re.compile(
    r"OutOfMemoryError|\bMemoryError\b|out of memory|an't allocate memory|annot allocate memory|std::bad_alloc|"
    r"STATUS_ALLOC_FAILED|DataLoader worker .* killed by signal: Killed"
)
_DEVICE = re.compile(
    r"CUDA error|HIP error|device-side assert|illegal memory access|cuDNN error|CUBLAS_STATUS_\w+|NCCL (error|timeout)|"
    r"uncorrectable ECC"
)
"""What a device says whose context is broken: nothing that the process does with it works any more."""


def trouble(error: BaseException, place: str = "") -> Outcome | Returned:
    """What follows from an error that a trial raised.

    A full disk or data that are gone are nobody's fault: the trial is given back. So it is where the device broke, to
    be tried once more. Too little memory makes a recipe infeasible. Everything else is the trial's own failure.
    `place` is where the trial writes.
    """
    text = _text(error)
    chain = list(_chain(error))
    if any(isinstance(link, OSError) and link.errno in FULL for link in chain) or _says(_NO_SPACE, error, text):
        return Returned(why="disk", text=f"the disk is full{_of(place)}: {_last_line(error)}")
    gone = next((link for link in chain if isinstance(link, DataError)), None)
    if gone is not None and _is_gone(gone, chain):
        return Returned(why="data", text=str(gone))
    refused = any(isinstance(link, MemoryError) or getattr(link, "errno", None) == errno.ENOMEM for link in chain)
    if refused or _says(_NO_MEMORY, error, text):
        return Outcome(ending=Ending.INFEASIBLE, reason=OUT_OF_MEMORY, error=text)
    if _says(_DEVICE, error, text):
        return Returned(why="device", text=text)
    return Outcome(ending=Ending.FAILED, reason="error", error=text)


def _of(place: str) -> str:
    """Which disk that is, and how much of it is free."""
    there = next((path for path in (Path(place), *Path(place).parents) if path.exists()), None) if place else None
    return f", {shutil.disk_usage(there).free / 1e6:.1f} MB free at {there}" if there is not None else ""


def _is_gone(error: DataError, chain: list[BaseException]) -> bool:
    """Whether data cannot be read any more, rather than do not suit the trial."""
    path = error.fields.get("path")
    return any(isinstance(link, OSError) for link in chain) or (path is not None and not Path(path).exists())


def _says(pattern: re.Pattern[str], error: BaseException, text: str) -> bool:
    """Whether the error says so: that of a program anywhere in its last lines, one of this process in its own words."""
    if isinstance(error, ProgramError):
        return pattern.search(text) is not None
    name = type(error).__name__
    native = isinstance(error, RuntimeError | MemoryError) or name in _NATIVE
    return native and pattern.search(f"{name}: {error}") is not None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and those that it was raised from."""
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _text(error: BaseException) -> str:
    """What people read of it: without tunefast's own lines, and not too long."""
    told = str(error) if isinstance(error, ProgramError | ObjectiveError) else own_traceback(error)
    return told[-MAX_ERROR_CHARS:].encode("utf-8", "backslashreplace").decode()


def _last_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return next((line for line in reversed(lines) if _NO_SPACE.search(line)), lines[-1])
