"""Errors of code of the user's own, told as if tunefast had not called it."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


@contextlib.contextmanager
def told_of(what: str) -> Iterator[None]:
    """Let errors inside begin with what raised them. Raises `ValueError` from them."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"{what}: {type(error).__name__}: {error}") from error


def own_traceback(error: BaseException) -> str:
    """The traceback of `error` from the first frame that is not tunefast's or Python's import; all of it without one.

    Errors that it was raised from are told alike.
    """
    told = traceback.TracebackException.from_exception(error)
    part: traceback.TracebackException | None = told
    while part is not None:
        frames = list(part.stack)
        first = next((index for index, frame in enumerate(frames) if not _is_ours(frame.filename)), None)
        if first is not None:
            part.stack = traceback.StackSummary.from_list(frames[first:])
        part = part.__cause__ or (None if part.__suppress_context__ else part.__context__)
    return "".join(told.format())


def _is_ours(filename: str) -> bool:
    if filename.startswith("<frozen importlib") or Path(filename).parent.name == "importlib":
        return True
    return Path(filename).is_relative_to(_PACKAGE)
