"""LiveStudy: handing out trials, answering reports, taking in outcomes."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from tests.search.playing import claimed, fail, finish, live_study, play, report, stock_state
from tests.store.databases import prepared, rows, stock_trials
from tunefast.errors import StudyNotFound
from tunefast.search.budget import End
from tunefast.search.live import LiveStudy
from tunefast.spec.progress import Ending, EpochReport, Verdict
from tunefast.store.database import Database

GRID = {"space": {"params.a": {"low": 1, "high": 3}, "params.b": {"choices": ["x", "y"]}}, "sampler": {"name": "grid"}}
STUDIES: list[dict[str, Any]] = [
    GRID | {"budget": {}},
    GRID | {"budget": {"trials": 4}},
    {"budget": {"trials": 6}},
]
DIVERGED = [
    {"score": 0.99, "loss": math.nan},
    {"score": 0.99, "val_loss": math.inf},
    {"score": math.nan},
    {"score": math.inf},
]
ACTS = st.lists(st.sampled_from(["claim", "complete", "prune", "fail", "release", "restart"]), max_size=40)


def act(live: LiveStudy, doing: str) -> LiveStudy:
    """Let something happen to a study; what does not apply does nothing."""
    running = next(iter(live.running.values()), None)
    match doing:
        case "claim":
            live.claim()
        case "complete" if running is not None:
            play(live, [0.5], running)
        case "prune" if running is not None:
            finish(live, running, Ending.PRUNED)
        case "fail" if running is not None:
            finish(live, running, Ending.FAILED, error=f"error {running.number}")
        case "release" if running is not None:
            report(live, running, running.epochs + 1, 0.5)
            live.release(running.number, "died")
        case "restart":
            return LiveStudy(live.storage._database, live.name)
    return live


@given(acts=ACTS, study=st.sampled_from(STUDIES))
@settings(max_examples=10)
def test_the_budget_is_exact(acts: list[str], study: dict[str, Any]) -> None:
    """Whatever becomes of its trials, and whoever dies, a study has as many as it was given; a grid each cell once."""
    with tempfile.TemporaryDirectory() as directory:
        database = prepared(Path(directory) / "search.db")
        live = live_study(database, **study)
        for doing in acts:
            live = act(live, doing)
        for _ in range(20):
            live = act(live, "claim")
            live = act(live, "complete")
        trials = stock_trials(database.path)
        database.close()
    assert live.finished
    assert live.end is End.TRIALS
    assert len(trials) == len(live.tally) == study["budget"].get("trials", 6)
    assert all(trial.state.is_finished() for trial in trials)
    if "sampler" in study:
        assert len({repr(sorted(trial.params.items())) for trial in trials}) == len(trials)


def test_a_claimed_trial_is_in_the_database(database: Database) -> None:
    """What is handed out survives a coordinator that dies there and then."""
    running = live_study(database).claim()
    assert running is not None
    [trial] = stock_trials(database.path)
    assert (trial.number, trial.state) == (running.number, TrialState.RUNNING)
    assert running.recipe.table()["params"] == {"x": trial.params["params.x"]}


def test_only_a_study_that_is_there_can_live(database: Database) -> None:
    """A name that nobody created is refused."""
    with pytest.raises(StudyNotFound):
        LiveStudy(database, "nobody")


def test_a_complete_trial_has_the_value_of_its_kept_epoch(database: Database) -> None:
    """The weights that are kept decide the value; how and why a trial ended is kept with it."""
    live = live_study(database)
    for kept, expected in ((2, 0.75), (None, 0.25)):
        running = claimed(live)
        for epoch, value in enumerate((0.5, 0.75, 0.25), start=1):
            assert report(live, running, epoch, value).verdict is Verdict.CONTINUE
        finish(live, running, reason="early_stopping", kept_epoch=kept)
        trial = stock_trials(database.path)[running.number]
        assert (trial.state, trial.value) == (TrialState.COMPLETE, expected)
        assert trial.intermediate_values == {1: 0.5, 2: 0.75, 3: 0.25}
        assert trial.user_attrs == {"reason": "early_stopping", "kept_epoch": kept or 3, "epochs": 3}
    assert live.tally.best == (0, 0.75)
    assert (live.epochs_run, live.tally.epochs_saved) == (6, 14)
    assert [row[6] for row in rows(database.path, "tunefast_epochs")["tunefast_epochs"]] == [0.5] * 6
    endings = [row[10:12] for row in rows(database.path, "tunefast_attempts")["tunefast_attempts"]]
    assert endings == [("complete", "early_stopping")] * 2


def test_a_pruned_trial_has_the_last_value(database: Database) -> None:
    """As in stock Optuna, a pruned trial's value is the last one it reported, which is never the best."""
    live = live_study(database)
    running = claimed(live)
    for epoch, value in enumerate((0.9, 0.1), start=1):
        report(live, running, epoch, value)
    finish(live, running, Ending.PRUNED, reason="pruner")
    finish(live, claimed(live), Ending.INFEASIBLE, reason="out of memory")
    theirs = [(trial.state, trial.value) for trial in stock_trials(database.path)]
    assert theirs == [(TrialState.PRUNED, 0.1), (TrialState.PRUNED, None)]
    assert live.tally.best is None
    assert live.tally.counts == {"pruned": 1, "infeasible": 1}


def test_a_failed_trial_keeps_its_error(database: Database) -> None:
    """A failed trial has no value, and its traceback is kept."""
    live = live_study(database)
    fail(live, "Traceback\nValueError: boom")
    [trial] = stock_trials(database.path)
    assert (trial.state, trial.value) == (TrialState.FAIL, None)
    assert trial.user_attrs == {"reason": "error", "error": "Traceback\nValueError: boom"}


@pytest.mark.parametrize("pruner", ["none", "median"])
@pytest.mark.parametrize("metrics", DIVERGED)
def test_a_diverged_trial_is_pruned(database: Database, metrics: dict[str, float], pruner: str) -> None:
    """A loss or metric that is no finite number ends the trial, and it is never the best, nor at the target."""
    live = live_study(database, pruner={"name": pruner}, budget={"trials": 2, "target": 0.9})
    running = claimed(live)
    report(live, running, 1, 0.5)
    answer = live.report(running.number, EpochReport(epoch=2, metrics=metrics))
    assert (answer.verdict, answer.reason) == (Verdict.PRUNE, "diverged")
    finish(live, running, Ending.PRUNED, reason=answer.reason, kept_epoch=2)
    [trial] = stock_trials(database.path)
    assert (trial.state, trial.user_attrs["reason"]) == (TrialState.PRUNED, "diverged")
    assert live.tally.best is None
    assert live.end is None


@pytest.mark.parametrize("value", [None, math.nan])
def test_a_trial_without_a_value_is_not_complete(database: Database, value: float | None) -> None:
    """A trial that never reported the metric, or no number for the epoch that it keeps, has failed."""
    live = live_study(database)
    play(live, [0.5])
    running = claimed(live)
    if value is not None:
        report(live, running, 1, value)
    finish(live, running, kept_epoch=1)
    trial = stock_trials(database.path)[1]
    assert trial.state is TrialState.FAIL
    assert trial.user_attrs["error"] == "it ended without reporting 'score'"
    assert live.tally.best == (0, 0.5)


def test_a_report_without_the_metric_stops_the_trial(database: Database) -> None:
    """A trial that does not report the study's metric fails, and is told what it did report."""
    live = live_study(database)
    running = claimed(live)
    answer = live.report(running.number, EpochReport(epoch=1, metrics={"loss": 1.0, "accuracy": 0.5}))
    assert answer.verdict is Verdict.STOP
    assert answer.reason == "'score' is not among the reported metrics: accuracy, loss"
    finish(live, running, reason=answer.reason, kept_epoch=1)
    [trial] = stock_trials(database.path)
    assert (trial.state, trial.user_attrs["error"]) == (TrialState.FAIL, answer.reason)


def test_a_trial_worse_than_the_median_is_pruned(database: Database) -> None:
    """From the first epoch after its warm-up, a trial is stopped that is worse than the completed ones were."""
    live = live_study(database, pruner={"name": "median", "startup_trials": 2, "warmup_epochs": 2})
    for _ in range(2):
        assert stock_state(live, play(live, [0.5] * 4).number) is TrialState.COMPLETE
    good, bad = play(live, [0.1, 0.1, 0.6, 0.1]), play(live, [0.1, 0.1, 0.2, 0.9])
    assert stock_state(live, good.number) is TrialState.COMPLETE
    assert stock_state(live, bad.number) is TrialState.PRUNED
    assert len(bad.values) == 3
