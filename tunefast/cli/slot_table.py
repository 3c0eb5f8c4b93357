"""Where the time of a study's slots went, in words."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from tunefast.cli.output import duration, plain_table
from tunefast.search.slot_ledger import slot_ledger
from tunefast.store.snapshot import StudySnapshot

NAMES = {
    "winner": "training the winner",
    "finished": "training other complete trials",
    "stopped": "training trials that were stopped",
    "unfinished": "training trials that have not ended",
    "evaluation": "evaluation",
    "data": "libraries, data and models",
    "compile": "compilation",
    "checkpoints": "checkpoints",
    "redone": "epochs that had to be trained again",
    "rest": "reports and the rest",
    "idle": "idle: workers that start, or wait",
}
LEAST_SHARE = 0.005
"""Of the time; what took less is not worth a line."""


def slots_document(study: StudySnapshot) -> dict[str, float] | None:
    """The ledger as plain data."""
    ledger = slot_ledger(study)
    return None if ledger is None else dict(ledger._asdict())


def show_slots(out: Console, study: StudySnapshot) -> None:
    """Print where the slots' time went, the most first; nothing where nobody counted it."""
    found: dict[str, Any] | None = slots_document(study)
    if found is None or found["total"] <= 0:
        return
    total = found.pop("total")
    out.print(f"\nWhere the {duration(total)} of its slots went:")
    table = plain_table("share", "time", "for", right=("share", "time"))
    for name, seconds in sorted(found.items(), key=lambda item: -item[1]):
        if seconds >= LEAST_SHARE * total:
            table.add_row(f"{seconds / total:.0%}", duration(seconds), NAMES[name])
    out.print(table)
