"""Playing a live study: handing out trials and reporting for them, as a coordinator's workers would."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from optuna.trial import TrialState

from tests.store.databases import STUDY, stock_trials, study_spec
from tunefast.search.live import LiveStudy
from tunefast.search.running import Running
from tunefast.spec.progress import Answer, Assignment, Ending, EpochReport, Outcome, Verdict
from tunefast.store import studies
from tunefast.store.database import Database


def live_study(database: Database, **settings: Any) -> LiveStudy:
    """A new study, live; see `study_spec` for its settings."""
    studies.create(database, study_spec(**settings))
    return LiveStudy(database, settings.get("name", STUDY))


def claimed(live: LiveStudy) -> Running:
    """The next trial, handed to a worker."""
    running = live.claim()
    assert running is not None
    assignment = Assignment(
        study=live.name,
        trial=running.number,
        token=1,
        attempt=running.attempt,
        recipe=running.recipe.table(),
        seed=live.spec.trial_seed(running.number),
        threads=1,
        device="cpu",
    )
    live.start(running, assignment, "w1", {"host": "test"})
    return running


def report(live: LiveStudy, running: Running, epoch: int, value: float, **metrics: float) -> Answer:
    """Report `value` for an epoch."""
    metrics = {live.spec.study.main_metric: value, **metrics}
    return live.report(running.number, EpochReport(epoch=epoch, metrics=metrics, train_seconds=0.5))


def finish(live: LiveStudy, running: Running, ending: Ending = Ending.COMPLETE, **words: Any) -> None:
    """End a trial."""
    live.finish(running.number, Outcome(ending=ending, **words))


def play(live: LiveStudy, curve: Iterable[float], running: Running | None = None) -> Running:
    """Train a trial that reports this curve, and does as it is told."""
    running = running or claimed(live)
    outcome = Outcome(ending=Ending.COMPLETE)
    for epoch, value in enumerate(curve, start=1):
        answer = report(live, running, epoch, value)
        assert answer.verdict is not Verdict.PAUSE
        if answer.verdict is not Verdict.CONTINUE:
            ending = Ending.PRUNED if answer.verdict is Verdict.PRUNE else Ending.COMPLETE
            outcome = Outcome(ending=ending, reason=answer.reason, kept_epoch=epoch)
            break
    live.finish(running.number, outcome)
    return running


def fail(live: LiveStudy, error: str) -> None:
    """Train a trial that fails at once."""
    finish(live, claimed(live), Ending.FAILED, reason="error", error=error)


def stock_state(live: LiveStudy, number: int) -> TrialState:
    """A trial's state as stock Optuna reads it."""
    return stock_trials(live.storage._database.path)[number].state
