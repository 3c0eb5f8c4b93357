"""The slot ledger: where the seconds went that a study's slots were lent to it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

from tunefast.spec.progress import CHECKPOINT_SECONDS, COMPILE_SECONDS, SETUP_SECONDS
from tunefast.store.epochs import LOST
from tunefast.store.rows import state_word
from tunefast.store.snapshot import StudySnapshot


class SlotLedger(NamedTuple):
    """Seconds of slots, which add up to `total`."""

    winner: float
    """Training the best trial."""
    finished: float
    """Training other trials that are complete."""
    stopped: float
    """Training trials that ended before: pruned, infeasible."""
    failed: float
    """Training trials that failed, and whatever else their own training did before it failed."""
    unfinished: float
    """Training trials that have not ended."""
    evaluation: float
    data: float
    """From the start of an attempt to its first step: libraries, data, the network, the checkpoint it goes on from."""
    compile: float
    checkpoints: float
    redone: float
    """Of attempts that were lost: what had to be trained again."""
    rest: float
    """Reports, the last checkpoint, and what own training does between its reports."""
    idle: float
    """Slots without a trial: workers that start, the end of a study, where fewer trials are left than slots."""
    total: float


NAMES = {
    "winner": "training the winner",
    "finished": "training other complete trials",
    "stopped": "training trials that were stopped",
    "failed": "trials that failed",
    "unfinished": "training trials that have not ended",
    "evaluation": "evaluation",
    "data": "libraries, data and models",
    "compile": "compilation",
    "checkpoints": "checkpoints",
    "redone": "epochs that had to be trained again",
    "rest": "reports and the rest",
    "idle": "idle: workers that start, or wait",
}
"""By part, what people read, in a terminal and on a page."""
DETAILS = {SETUP_SECONDS: "data", COMPILE_SECONDS: "compile", CHECKPOINT_SECONDS: "checkpoints"}


def slot_ledger(study: StudySnapshot) -> SlotLedger | None:
    """The ledger of all work on a study so far; None where an earlier tunefast did not count its slots' time."""
    if study.slot_seconds is None:
        return None
    of_trials = _trainings(study)
    rows: dict[tuple[int, int], list[Mapping[str, Any]]] = defaultdict(list)
    for row in study.epochs:
        rows[row["trial"], row["attempt"]].append(row)
    seconds: Counter[str] = Counter()
    for attempt in study.attempts:
        trial = attempt["trial"]
        seconds += _attempt(attempt, rows[trial, attempt["attempt"]], of_trials.get(trial, "stopped"))
    _trim(seconds, study.slot_seconds)
    parts = {name: seconds[name] for name in SlotLedger._fields if name not in ("idle", "total")}
    return SlotLedger(**parts, idle=study.slot_seconds - sum(seconds.values()), total=study.slot_seconds)


def _trim(seconds: Counter[str], total: float) -> None:
    """Take away what is more than the total: attempts go by the wall's clock, which a night's sleep moves on."""
    excess = sum(seconds.values()) - total
    for name in ("rest", "redone"):
        cut: Any = min(max(0.0, excess), seconds[name])
        seconds[name] -= cut
        excess -= cut


def _trainings(study: StudySnapshot) -> dict[int, str]:
    """By trial, what its training seconds count as."""
    words = {"complete": "finished", "running": "unfinished", "failed": "failed"}
    found = {trial.number: words.get(state_word(trial), "stopped") for trial in study.trials}
    return found | ({} if study.best is None else {study.best.number: "winner"})


def _attempt(attempt: Mapping[str, Any], rows: list[Mapping[str, Any]], training: str) -> Counter[str]:
    """Where the seconds of one attempt went, those of epochs that a later one trained again left out of its rows."""
    seconds: Counter[str] = Counter()
    for row in rows:
        seconds[training] += row["train_seconds"]
        seconds["evaluation"] += row["eval_seconds"]
        for detail, name in DETAILS.items():
            seconds[name] += (row["details"] or {}).get(detail, 0.0)
    told = sum(seconds.values())
    if attempt["ended_at"] is None:  # it still runs, or its coordinator was killed
        return seconds
    lasted = (attempt["ended_at"] - attempt["started_at"]).total_seconds()
    if told > lasted:  # epochs of another trial's that it goes on from
        return Counter({name: value * lasted / told for name, value in seconds.items()})
    other = "failed" if training == "failed" else "rest"
    seconds["redone" if attempt["ending"] == LOST else other] += lasted - told
    return seconds
