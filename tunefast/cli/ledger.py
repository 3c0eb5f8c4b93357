"""What pruning saved and what it cost, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console

from tunefast.search.auditing import CONFIDENCE, audit_share, regret
from tunefast.store.snapshot import StudySnapshot


def regret_document(study: StudySnapshot) -> dict[str, Any]:
    """The ledger as plain data."""
    return {"audit": audit_share(study.spec), **regret(study)._asdict()}


def show_regret(out: Console, study: StudySnapshot) -> None:
    """Print what the pruner saved and cost; nothing where it stopped no trial."""
    for line in _lines(study):
        out.print(line, soft_wrap=True)


def _lines(study: StudySnapshot) -> Iterator[str]:
    ledger = regret(study)
    if ledger.num_pruned or ledger.num_audited:
        saved = "" if ledger.epochs_saved is None else f", which saved {ledger.epochs_saved:,} epochs"
        yield f"The {study.spec.study.pruner.name} pruner stopped {_trials(ledger.num_pruned)}{saved}."
    if ledger.epochs_audited or ledger.num_audited:
        yield (
            f"{ledger.num_audited:,} more ran on for the audit of it, which cost {ledger.epochs_audited:,} epochs of "
            "the budget."
        )
    if ledger.rate is not None:
        yield (
            f"{ledger.num_winners:,} of these became better than all that were not audited: {ledger.rate:.1%} "
            f"({CONFIDENCE:.0%} interval: {ledger.rate_low:.1%} to {ledger.rate_high:.1%})."
        )


def _trials(count: int) -> str:
    return "1 trial" if count == 1 else f"{count:,} trials"
