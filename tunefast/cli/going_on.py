"""How a study goes on that was just changed, in words."""

from __future__ import annotations

from tunefast.shell import command
from tunefast.store.snapshot import StudySnapshot


def how_it_goes_on(study: StudySnapshot, storage: str) -> str:
    """What to type so that a study goes on, in a sentence; nothing, where workers are there who do not wait."""
    if study.is_paused:  # its workers wait, and more of them would wait as well
        return f"It is paused; go on: {command('study', 'resume', study.name, storage=storage)}"
    if study.num_workers:
        return "Its workers take it up."
    return f"Go on: {command('study', 'run', study.name, storage=storage)}"
