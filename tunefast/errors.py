"""Every error tunefast raises on purpose, in one small tree.

```
TunefastError              exit code 1
├── UserError              exit code 2: something the user typed, wrote or has on disk
│   ├── SpecError
│   ├── StudyExists, StudyNotFound, StudyNotOurs, SpecChanged
│   ├── StorageError
│   │   └── DiskFull       exit code 74
│   ├── DataError, CheckpointError
│   └── DeviceError
├── StudyFailed            the study ended without a result
├── StudyPaused            exit code 74: the machine has to be mended before the study goes on
├── CoordinatorLost        the process that owns the database cannot be reached
└── ProtocolError          a message between processes makes no sense
```

A class's docstring is the pattern of its message, so the documentation and what a user reads cannot drift apart.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable
from typing import Any

PAUSED = 74
"""Exit code of what can go on once the machine was mended: EX_IOERR of sysexits.h."""


class TunefastError(Exception):
    """{message}"""

    exit_code = 1

    def __init__(self, message: str | None = None, **fields: Any) -> None:
        self.fields = fields
        pattern = inspect.getdoc(type(self)) or ""
        super().__init__(message if message is not None else pattern.format(**fields))


class UserError(TunefastError):
    """{message}"""

    exit_code = 2


class SpecError(UserError):
    """{where}: {problem}"""


class StudyExists(UserError):
    """Study {name!r} exists already in {storage}. Go on with it: {command}"""


class StudyNotFound(UserError):
    """There is no study {name!r} in {storage}.{hint}"""


class StudyNotOurs(UserError):
    """Study {name!r} in {storage} was not created by tunefast, so it has no spec to run. \
Create one with: {create}
To start from its trials then: {command}"""


class SpecChanged(UserError):
    """Study {name!r} exists already with another spec:
    {difference}
    Go on with the stored spec: {run}
    Change the stored one's space or budget: {edit}
    Or create a new study: {create}"""


class StorageError(UserError):
    """{storage}: {problem}"""


class DiskFull(StorageError):
    """{storage}: cannot be written, the disk is full or broken ({problem}). \
Mend that, then go on with the same command"""

    exit_code = PAUSED


class DataError(UserError):
    """{path}: {problem}"""


class CheckpointError(UserError):
    """{path}: {problem}"""


class DeviceError(UserError):
    """{device}: {problem}"""


class StudyFailed(TunefastError):
    """{message}"""


class StudyPaused(TunefastError):
    """Study {name!r} is paused: {problem}
    Nothing is lost. Mend that, then go on with: {command}"""

    exit_code = PAUSED


class CoordinatorLost(TunefastError):
    """The coordinator of {storage} cannot be reached: {problem}"""


class ProtocolError(TunefastError):
    """{message}"""


def nearest(word: str, known: Iterable[str]) -> str:
    """A sentence that helps with a mistyped word: the nearest known one, else all of them.

    Returns an empty string where nothing is known.
    """
    known = sorted(known)
    if not known:
        return ""
    plain = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), plain, n=1)
    if close:
        return f" Did you mean {plain[close[0]]!r}?"
    return f" Known: {', '.join(known)}."
