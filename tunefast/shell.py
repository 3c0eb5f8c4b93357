"""Commands that people are told to type: quoted as a shell wants them, and for the database that is meant."""

from __future__ import annotations

import shlex
from pathlib import Path

DEFAULT_STORAGE = "sqlite:///tunefast.db"
"""The database of commands that name none."""


def command(*words: object, storage: str | Path = DEFAULT_STORAGE) -> str:
    """A ``tunefast`` command of these words on a database, a URL or a file, as it can be pasted into a shell."""
    return f"tunefast {shlex.join(str(word) for word in words)}{storage_flag(storage)}"


def storage_flag(storage: str | Path) -> str:
    """What to add to a command that is shown to people, so that it finds the same database."""
    url = storage if isinstance(storage, str) else _url(storage)
    return "" if url == DEFAULT_STORAGE else f" --storage {shlex.quote(url)}"


def _url(path: Path) -> str:
    """The URL of a database file, short where it lies in the working directory."""
    return f"sqlite:///{path.name if path.parent == Path.cwd() else path}"
