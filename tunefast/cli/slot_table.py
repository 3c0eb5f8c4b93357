"""Where the time of a study's slots went, in words."""

from __future__ import annotations

from rich.console import Console

from tunefast.cli.output import plain_table
from tunefast.report.figures.slots import numbers, spending
from tunefast.report.phrases import amount
from tunefast.search.slot_ledger import slot_ledger
from tunefast.store.snapshot import StudySnapshot


def slots_document(study: StudySnapshot) -> dict[str, float] | None:
    """The ledger as plain data."""
    ledger = slot_ledger(study)
    return None if ledger is None else dict(ledger._asdict())


def show_slots(out: Console, study: StudySnapshot) -> None:
    """Print where the slots' time went, the most first; nothing where nobody counted it."""
    ledger = numbers(study)
    if ledger is None:
        return
    out.print(f"\nWhere the {amount(ledger.total)} of its slots went:")
    table = plain_table("share", "time", "for", right=("share", "time"))
    for each in spending(ledger):
        table.add_row(f"{each.share:.0%}", amount(each.seconds), each.name)
    out.print(table)
