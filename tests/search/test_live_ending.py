"""LiveStudy: how a study ends."""

from __future__ import annotations

import pytest
from optuna.trial import TrialState

from tests.search.playing import claimed, fail, finish, live_study, play, report, stock_state
from tests.store.databases import stock_trials
from tunefast.search.budget import End
from tunefast.spec.progress import Ending, Verdict
from tunefast.spec.sections import Budget
from tunefast.store.database import Database


@pytest.mark.parametrize(("direction", "target", "before"), [("maximize", 0.9, 0.8), ("minimize", 0.1, 0.2)])
def test_the_target_ends_the_study(database: Database, direction: str, target: float, before: float) -> None:
    """The trial that gets there is complete with that value; nothing new starts, and the others stop where they are."""
    live = live_study(database, direction=direction, budget={"trials": 9, "target": target})
    winner, other, waiting = claimed(live), claimed(live), claimed(live)
    live.release(waiting.number, "its worker died")
    assert report(live, winner, 1, before).verdict is Verdict.CONTINUE
    answer = report(live, winner, 2, target)
    assert (answer.verdict, answer.reason) == (Verdict.STOP, "target")
    assert live.end is None, "the target is reached when a trial is complete with it"
    assert live.claim() is None
    finish(live, winner, reason=answer.reason, kept_epoch=2)
    assert live.end is End.TARGET
    late = report(live, other, 1, before)
    assert (late.verdict, late.reason) == (Verdict.STOP, "the study ended: target")
    assert not live.finished
    finish(live, other, reason=late.reason, kept_epoch=1)
    assert live.finished
    live.settle()
    states = [(trial.state, trial.value) for trial in stock_trials(database.path)]
    assert states == [(TrialState.COMPLETE, target), (TrialState.COMPLETE, before), (TrialState.PRUNED, None)]
    assert live.tally.best == (0, target)


@pytest.mark.parametrize("trials", [2, 9])
def test_minutes_end_the_study(database: Database, trials: int) -> None:
    """When the minutes are up running trials stop at their next epoch, also where all trials were handed out."""
    live = live_study(database, budget={"minutes": 1, "trials": trials})
    running, waiting = claimed(live), claimed(live)
    live.release(waiting.number, "its worker died")
    live.active_seconds = 59.9
    assert report(live, running, 1, 0.5).verdict is Verdict.CONTINUE
    live.active_seconds = 60.0
    answer = report(live, running, 2, 0.6)
    assert (answer.verdict, answer.reason) == (Verdict.STOP, "the study ended: minutes")
    assert live.claim() is None
    finish(live, running, reason=answer.reason)
    live.settle()
    assert live.finished
    states = [(trial.state, trial.value) for trial in stock_trials(database.path)]
    assert states == [(TrialState.COMPLETE, 0.6), (TrialState.PRUNED, None)]
    assert stock_trials(database.path)[1].user_attrs["reason"] == "the study ended: minutes"


def test_the_last_trials_of_the_budget_run_to_their_end(database: Database) -> None:
    """When the last trial is handed out, those that run go on, and so does one that loses its worker."""
    live = live_study(database, budget={"trials": 2})
    first, second = claimed(live), claimed(live)
    assert live.claim() is None
    assert live.end is End.TRIALS
    assert report(live, first, 1, 0.5).verdict is Verdict.CONTINUE
    live.release(first.number, "its worker died")
    finish(live, second, Ending.PRUNED)
    live.settle()
    assert not live.finished
    assert live.claim() is first
    finish(live, first)
    assert live.finished


def test_the_same_first_errors_end_the_study(database: Database) -> None:
    """Where the first three trials fail alike the study is stopped, and those that run are paused, to go on later."""
    live = live_study(database)
    running = claimed(live)
    for line in range(3):
        assert live.end is None
        fail(live, f"line {line}\nValueError: bad")
    assert (live.end, live.error) == (End.FAILING, "line 2\nValueError: bad")
    assert live.claim() is None
    answer = report(live, running, 1, 0.5)
    assert (answer.verdict, answer.reason) == (Verdict.PAUSE, "failing")
    live.release(running.number, "paused")
    live.settle()
    assert live.finished
    assert stock_state(live, running.number) is TrialState.RUNNING


def test_the_same_first_errors_are_seen_when_they_are_all(database: Database) -> None:
    """A study of three trials that fail alike has failed, though its budget is used up as well."""
    live = live_study(database, budget={"trials": 3})
    three = [claimed(live) for _ in range(3)]
    live.check_budget()
    assert live.end is End.TRIALS
    for running in three:
        finish(live, running, Ending.FAILED, error="ValueError: bad")
    assert (live.end, live.error) == (End.FAILING, "ValueError: bad")
    assert live.finished


@pytest.mark.parametrize("errors", [["a", "b", "a"], [None, "a", "a", "a"], ["a", "a", None, "a"]])
def test_other_first_errors_do_not(database: Database, errors: list[str | None]) -> None:
    """Errors that differ, or a trial that did not fail, say that it is up to the recipe."""
    live = live_study(database)
    for error in errors:
        if error is None:
            play(live, [0.5])
        else:
            fail(live, error)
    assert live.end is None
    assert live.claim() is not None


def test_extend_goes_on(database: Database) -> None:
    """With other limits a study that had ended hands out trials again; one whose target is reached does not."""
    live = live_study(database, budget={"trials": 1, "target": 0.9})
    play(live, [0.5])
    assert live.claim() is None
    live.change(live.spec.model_copy(update={"budget": Budget(trials=3, target=0.9)}))
    play(live, [0.95])
    assert live.end is End.TARGET
    live.change(live.spec.model_copy(update={"budget": Budget(trials=5, target=0.9)}))
    assert live.end is End.TARGET
    live.change(live.spec.model_copy(update={"budget": Budget(trials=5, target=0.99)}))
    assert live.claim() is not None
