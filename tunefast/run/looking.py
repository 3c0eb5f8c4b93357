"""Looking at a study: what the database says of it, and whether anybody works on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tunefast.errors import CoordinatorLost, StorageError
from tunefast.run.commands import asked, connect
from tunefast.run.messages import Command
from tunefast.store.ownership import StateDirectory
from tunefast.store.snapshot import StudySnapshot, snapshot

ANSWER_SECONDS = 1.0
"""That a coordinator has to say who works; one that is busy or stopped keeps nobody waiting."""


def workers(path: Path, *, besides: int | None = None) -> Mapping[str, int] | None:
    """Who works on the database: the number of workers of each study, those of the host process `besides` left out.

    None where a coordinator does not answer, or is another user's.
    """
    try:
        channel = connect(StateDirectory(path)) if path.exists() else None
        if channel is None:
            return {}
        with channel:
            channel.socket.settimeout(ANSWER_SECONDS)
            rows = asked(channel, Command(verb="workers"), path)["workers"]
    except (CoordinatorLost, StorageError, OSError):
        return None
    return Counter(row["study"] for row in rows if besides is None or row["host"] != besides)


def look(path: Path, name: str) -> StudySnapshot:
    """The study `name` in the database at `path`, with how many workers it has. Raises what `snapshot` raises."""
    return seen(snapshot(path, name), workers(path))


def seen(study: StudySnapshot, at_work: Mapping[str, int] | None) -> StudySnapshot:
    """The study, with how many workers it has where that is known."""
    return study if at_work is None else replace(study, num_workers=at_work.get(study.name, 0))
