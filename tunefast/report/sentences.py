"""Sentences: how sure a winner is and what pruning cost, as a terminal and a page say it."""

from __future__ import annotations

from collections.abc import Iterator

from optuna.trial import FrozenTrial, TrialState

from tunefast.report.phrases import number
from tunefast.search.auditing import CONFIDENCE, regret
from tunefast.search.confirmed import Lead, Repeated
from tunefast.search.intervals import Interval
from tunefast.store.rows import IMPORTED
from tunefast.store.snapshot import StudySnapshot


def span(interval: Interval | None) -> str:
    """An interval, or a dash."""
    return "-" if interval is None else f"{number(interval.low)} to {number(interval.high)}"


def winner_in_words(study: StudySnapshot, winner: Repeated) -> str:
    """The confirmed trial, with its mean and how sure that is."""
    seeds = f"{len(winner.values)} new seed{'s' * (len(winner.values) != 1)}"
    interval = "" if winner.interval is None else f", 95 % interval {span(winner.interval)}"
    return f"trial {winner.trial}, mean {study.spec.study.main_metric} {number(winner.mean)} on {seeds}{interval}"


def lead_in_words(lead: Lead) -> str:
    """By how much the confirmed trial is better than the runner-up, and whether that may be chance."""
    seeds = "the same seed" if lead.num_seeds == 1 else f"the same {lead.num_seeds} seeds"
    if lead.is_tie:
        return f"It ties with trial {lead.over} on {seeds}; it stands first since it did in the search."
    words = f"It is better than trial {lead.over} by {number(lead.mean)} on {seeds}"
    if lead.interval is None:
        return f"{words}; whether that is chance, one seed cannot tell."
    verdict = "more than chance" if lead.is_certain else "that may be chance"
    return f"{words}, 95 % interval {span(lead.interval)}: {verdict}."


def written_in_words(study: StudySnapshot) -> Iterator[str]:
    """What the recipe came to as its author wrote it, a sentence; none where it was not tried or has no value."""
    first, best = study.as_written, study.best
    if first is None or best is None:
        return
    if first.number == best.number:
        yield "That is the recipe as it was written: no trial was better."
    else:
        stopped = "" if first.state == TrialState.COMPLETE else ", where it was stopped"
        yield f"The recipe as it was written (trial {first.number}) came to {number(first.values[0])}{stopped}."


def regret_in_words(study: StudySnapshot) -> Iterator[str]:
    """What the pruner saved and cost, a line each; none where it stopped no trial."""
    ledger = regret(study)
    if ledger.num_pruned or ledger.num_audited:
        saved = "" if ledger.epochs_saved is None else f", which saved {ledger.epochs_saved:,} epochs"
        yield f"The {study.spec.study.pruner.name} pruner stopped {trials(ledger.num_pruned)}{saved}."
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


def imported_in_words(trial: FrozenTrial) -> str:
    """Which trial of which other study a trial was; nothing for one of the study's own."""
    return f"imported: {trial.user_attrs[IMPORTED]}" if IMPORTED in trial.user_attrs else ""


def trials(count: int) -> str:
    """So many trials."""
    return "1 trial" if count == 1 else f"{count:,} trials"
