"""How work on a study ended: a search's summary, or what a confirmation says of the study that it confirms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from tunefast.cli import confirmed, summary
from tunefast.store.snapshot import StudySnapshot, confirmed_study


def result_document(path: Path, study: StudySnapshot, reason: str) -> dict[str, Any]:
    """The result as plain data; `path` is the study's database, `reason` why the study ended."""
    original = confirmed_study(path, study)
    if original is None:
        return summary.document(study, reason)
    return confirmed.confirmation_document(original, study, reason)


def show_result(out: Console, path: Path, study: StudySnapshot, reason: str, storage: str) -> None:
    """Print the result, and the commands to type next."""
    original = confirmed_study(path, study)
    if original is None:
        summary.show_summary(out, study, reason, storage)
    else:
        confirmed.show_confirmation(out, original, study, reason, storage)
