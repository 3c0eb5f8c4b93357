"""LiveStudy: what others do to the database meanwhile."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from tests.search.playing import claimed, finish, live_study, play, report
from tests.store.databases import OPTUNA_TABLES, STUDY, rows, stock, stock_study, stock_trials
from tunefast.search.budget import End
from tunefast.search.live import LiveStudy
from tunefast.spec.progress import Verdict
from tunefast.store import studies
from tunefast.store.database import Database


def end_outside(database: Database, number: int, value: float | None = None) -> None:
    """Let stock Optuna end a running trial, as failed unless there is a value."""
    with stock_study(database.path) as study:
        study.tell(number, value, state=TrialState.FAIL if value is None else TrialState.COMPLETE)


def states(database: Database) -> list[TrialState]:
    """The states of all trials, read by stock Optuna."""
    return [trial.state for trial in stock_trials(database.path)]


@pytest.mark.parametrize("reported", [True, False])
def test_a_trial_failed_from_outside_counts_once(database: Database, *, reported: bool) -> None:
    """A running trial that somebody failed is let go, and is one trial of the budget, unwritten reports or not."""
    live = live_study(database, budget={"trials": 3})
    mine, other = claimed(live), claimed(live)
    live.flush()
    if reported:
        report(live, mine, 1, 0.5)
    end_outside(database, mine.number)
    assert live.reconcile() == [0]
    live.flush()
    assert live.running.keys() == {other.number}
    assert (live.tally.counts, len(live.tally)) == ({"failed": 1}, 1)
    assert claimed(live).number == 2
    assert live.claim() is None
    assert states(database)[0] is TrialState.FAIL


def test_a_trial_failed_from_outside_is_not_complete(database: Database) -> None:
    """Where the outcome comes too late it is not counted, never the best, and no curve to judge others by."""
    live = live_study(database, pruner={"name": "median", "startup_trials": 1, "warmup_epochs": 0})
    running = claimed(live)
    report(live, running, 1, 0.9)
    end_outside(database, 0)
    finish(live, running)
    assert (live.tally.counts, live.tally.best, len(live.tally)) == ({"failed": 1}, None, 1)
    assert states(database) == [TrialState.FAIL]
    assert play(live, [0.1]).number == 1
    assert states(database) == [TrialState.FAIL, TrialState.COMPLETE]


@pytest.mark.parametrize("learn", ["claim", "finish", "flush", "reconcile"])
def test_whatever_writes_lets_go_of_it(database: Database, learn: str) -> None:
    """Whichever step learns first that a trial was ended from outside, the trial no longer runs afterwards."""
    live = live_study(database)
    ended, other = claimed(live), claimed(live)
    report(live, ended, 1, 0.5)
    end_outside(database, ended.number)
    match learn:
        case "claim":
            live.claim()
        case "finish":
            finish(live, other)
        case "flush":
            assert live.flush() == [ended.number]
        case "reconcile":
            assert live.reconcile() == [ended.number]
    assert ended.number not in live.running
    assert live.tally.counts["failed"] >= 1


def test_a_waiting_trial_ended_from_outside_is_not_handed_out(database: Database) -> None:
    """A trial that waits for a worker, and was ended meanwhile, is not gone on with."""
    live = live_study(database)
    running = claimed(live)
    live.release(running.number, "died")
    end_outside(database, 0, 0.5)
    live.reconcile()
    assert claimed(live).number == 1
    assert live.tally.best == (0, 0.5)


def test_a_trial_completed_outside_counts(database: Database) -> None:
    """Trials that others add complete are part of the budget, the figures and the pruner's curves, at once."""
    pruner: dict[str, Any] = {"name": "median", "startup_trials": 1, "warmup_epochs": 0}
    live = live_study(database, budget={"trials": 2}, pruner=pruner)
    with stock_study(database.path) as study:
        study.add_trial(create_trial(value=0.75, intermediate_values={1: 0.75}))
    assert live.reconcile() == []
    assert live.tally.best == (0, 0.75)
    running = claimed(live)
    assert running.number == 1
    assert report(live, running, 1, 0.5).verdict is Verdict.PRUNE
    assert live.claim() is None
    assert LiveStudy(database, STUDY).tally.counts == live.tally.counts


def test_an_enqueued_trial_is_handed_out_once(database: Database) -> None:
    """A trial that somebody enqueued comes next, with what they asked for, and counts."""
    live = live_study(database, budget={"trials": 2})
    with stock_study(database.path) as study:
        study.enqueue_trial({"params.x": 0.125})
    live.reconcile()
    first, second = claimed(live), claimed(live)
    assert [first.recipe.table()["params"], first.number, second.number] == [{"x": 0.125}, 0, 1]
    assert live.claim() is None
    assert states(database) == [TrialState.RUNNING, TrialState.RUNNING]


@pytest.mark.filterwarnings("ignore:Fixed parameter")
def test_an_enqueued_trial_that_makes_no_recipe_is_passed_over(database: Database) -> None:
    """Nonsense that somebody enqueued fails and counts; neither the coordinator nor the next one falls over it."""
    live = live_study(database, space={"epochs": {"low": 1, "high": 5}}, budget={"trials": 3})
    with stock_study(database.path) as study:
        study.enqueue_trial({"epochs": -1})
        study.enqueue_trial({"epochs": -2})
    live.reconcile()
    assert live.claim() is None
    with stock_study(database.path) as study:
        assert study.ask().number == 1
    again = LiveStudy(database, STUDY)
    assert again.tally.counts == {"failed": 1}, "the other one is being trained by somebody else"
    assert claimed(again).number == 2
    assert again.claim() is None
    assert states(database) == [TrialState.FAIL, TrialState.RUNNING, TrialState.RUNNING]


@pytest.mark.parametrize("learn", ["claim", "reconcile"])
def test_a_deleted_study_is_over(database: Database, learn: str) -> None:
    """A study that somebody deleted hands out nothing, answers nobody, and writes nothing of Optuna's any more."""
    live = live_study(database)
    running, waiting = claimed(live), claimed(live)
    live.flush()
    report(live, running, 1, 0.5)
    if learn == "reconcile":
        live.release(waiting.number, "died")
    with stock(database.path) as storage:
        optuna.delete_study(study_name=STUDY, storage=storage)
        optuna.create_study(study_name="theirs", storage=storage).ask()
    before = rows(database.path, *OPTUNA_TABLES)
    assert (live.claim() if learn == "claim" else live.reconcile() and None) is None
    assert live.end is End.DELETED
    assert live.running == {}
    live.settle()
    live.flush()
    assert live.finished
    assert live.claim() is None
    assert rows(database.path, *OPTUNA_TABLES) == before
    studies.prepare(database)
    assert rows(database.path, "tunefast_epochs") == {"tunefast_epochs": []}
