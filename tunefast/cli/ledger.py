"""What pruning saved and what it cost, in words."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from tunefast.report.sentences import regret_in_words
from tunefast.search.auditing import audit_share, regret
from tunefast.store.snapshot import StudySnapshot


def regret_document(study: StudySnapshot) -> dict[str, Any]:
    """The ledger as plain data."""
    return {"audit": audit_share(study.spec), **regret(study)._asdict()}


def show_regret(out: Console, study: StudySnapshot) -> None:
    """Print what the pruner saved and cost; nothing where it stopped no trial."""
    for line in regret_in_words(study):
        out.print(line, soft_wrap=True)
