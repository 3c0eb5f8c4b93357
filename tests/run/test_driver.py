"""Driving a trial: from its reports to how it ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.run import objectives
from tunefast.recipe.stopping import EarlyStopping, Patience
from tunefast.run import troubles
from tunefast.run.driver import THREAD_VARIABLES, Driver, drive
from tunefast.run.line import Line
from tunefast.spec.progress import Answer, Assignment, Ending, EpochReport, Outcome, Returned, Verdict

GO = Answer(verdict=Verdict.CONTINUE)
TARGET = Answer(verdict=Verdict.STOP, reason="target")


@pytest.fixture(autouse=True)
def own_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """What trials set for their process is undone."""
    for variable in THREAD_VARIABLES:
        monkeypatch.setenv(variable, "1")


def report(epoch: int, **metrics: float) -> EpochReport:
    """A report."""
    return EpochReport(epoch=epoch, metrics=metrics)


def say(*answers: Answer | Exception) -> tuple[Callable[[EpochReport], Answer], list[EpochReport]]:
    """An `ask` that answers so, one after the other, and then to continue; and what it was told."""
    told: list[EpochReport] = []

    def ask(said: EpochReport) -> Answer:
        told.append(said)
        answer = answers[len(told) - 1] if len(told) <= len(answers) else GO
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask, told


def assignment(name: str, *curve: Any, threads: int = 1, **recipe: Any) -> Assignment:
    """An attempt at a trial with the objective called `name`."""
    table = {"objective": f"tests.run.objectives:{name}", "params": {"curve": curve or [0.1, 0.2, 0.3]}, **recipe}
    return Assignment(study="s", trial=7, token=1, attempt=1, recipe=table, seed=42, threads=threads, device="cpu")


# The driver itself.


def test_without_early_stopping_the_last_epoch_counts() -> None:
    """A trial that nobody stops is complete with its last epoch, and no weights need to be kept before it."""
    driver = Driver(None, say()[0])
    assert [driver.report(report(epoch, score=0.5)).keep for epoch in (1, 2, 3)] == [False, False, False]
    assert driver.outcome() == Outcome(ending=Ending.COMPLETE, kept_epoch=3)


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=12), st.integers(1, 3), st.booleans())
def test_early_stopping(curve: list[float], patience: int, restore: bool) -> None:
    """A trial ends where the rule says, complete, and keeps its best epoch if it shall restore it."""
    settings = Patience(monitor="score", mode="max", patience=patience, restore_best_weights=restore)
    rule, driver = EarlyStopping(**settings.model_dump()), Driver(settings, say()[0])
    for epoch, value in enumerate(curve, start=1):
        stop = rule.update(epoch, value)
        answer = driver.report(report(epoch, score=value))
        assert answer.verdict is (Verdict.STOP if stop else Verdict.CONTINUE)
        assert answer.keep is (restore and rule.best_epoch == epoch)
        if stop:
            break
    kept = rule.best_epoch if restore else epoch
    reason = "early_stopping" if stop else ""
    assert driver.outcome() == Outcome(ending=Ending.COMPLETE, reason=reason, kept_epoch=kept)


def test_the_target_epoch_is_kept() -> None:
    """The epoch that reached the target counts, whatever early stopping thinks of it."""
    driver = Driver(Patience(monitor="loss", patience=5), say(GO, TARGET)[0])
    assert driver.report(report(1, loss=0.1)).keep
    answer = driver.report(report(2, loss=0.9))
    assert (answer.verdict, answer.keep) == (Verdict.STOP, True)
    assert driver.outcome() == Outcome(ending=Ending.COMPLETE, reason="target", kept_epoch=2)


@pytest.mark.parametrize(
    ("answer", "ending"),
    [
        (Answer(verdict=Verdict.PRUNE, reason="pruner"), Ending.PRUNED),
        (Answer(verdict=Verdict.STOP, reason="the study ended: minutes"), Ending.COMPLETE),
    ],
)
def test_what_the_study_says_goes_first(answer: Answer, ending: Ending) -> None:
    """A verdict from the study stands, also in the epoch in which patience would have run out."""
    driver = Driver(Patience(monitor="loss", patience=1), say(GO, answer)[0])
    driver.report(report(1, loss=0.5))
    got = driver.report(report(2, loss=0.5))
    assert (got.verdict, got.reason) == (answer.verdict, answer.reason)
    assert driver.outcome() == Outcome(ending=ending, reason=answer.reason, kept_epoch=1)


def test_a_trial_that_is_done_is_not_paused() -> None:
    """A host that leaves does not throw away a trial whose patience runs out at this very epoch."""
    driver = Driver(Patience(monitor="loss", patience=1), say(GO, Answer(verdict=Verdict.PAUSE))[0])
    driver.report(report(1, loss=0.5))
    assert driver.report(report(2, loss=0.5)).verdict is Verdict.STOP
    assert driver.outcome() == Outcome(ending=Ending.COMPLETE, reason="early_stopping", kept_epoch=1)


# Whole trials.


@pytest.mark.parametrize("name", ["yields", "reports"])
def test_an_objective_is_driven(name: str) -> None:
    """Yielded or reported, every epoch is passed on in order, and the trial is complete."""
    ask, told = say()
    assert drive(assignment(name), Line(ask)) == Outcome(ending=Ending.COMPLETE, kept_epoch=3)
    assert [(said.epoch, said.metrics) for said in told] == [
        (1, {"score": 0.1}),
        (2, {"score": 0.2}),
        (3, {"score": 0.3}),
    ]
    assert all(said.train_seconds >= 0 for said in told)


@pytest.mark.parametrize("name", ["yields", "reports"])
@pytest.mark.parametrize(
    ("answer", "ending"), [(Answer(verdict=Verdict.PRUNE, reason="pruner"), Ending.PRUNED), (TARGET, Ending.COMPLETE)]
)
def test_an_objective_is_stopped(name: str, answer: Answer, ending: Ending) -> None:
    """An objective that is told to end runs no further epoch, and a generator is closed."""
    ask, told = say(GO, answer)
    objectives.LEFT.clear()
    assert drive(assignment(name), Line(ask)) == Outcome(ending=ending, reason=answer.reason, kept_epoch=2)
    assert len(told) == 2
    assert (["closed"] if name == "yields" else []) == objectives.LEFT


def test_a_paused_trial_has_no_outcome() -> None:
    """A trial that shall go on later has not ended."""
    assert drive(assignment("yields"), Line(say(Answer(verdict=Verdict.PAUSE))[0])) == Returned()


def test_an_objective_may_return_its_metrics() -> None:
    """An objective without epochs has one; it was lent its number, its seed and its threads."""
    ask, told = say()
    assert drive(assignment("returns", 0.5), Line(ask)) == Outcome(ending=Ending.COMPLETE, kept_epoch=1)
    assert told[0].metrics == {"score": 0.5, "trial": 7, "seed": 42, "threads": 1}


def test_an_objective_that_says_nothing() -> None:
    """Where nothing was reported no epoch is kept, which the study takes for what it is."""
    assert drive(assignment("returns_nothing"), Line(say()[0])) == Outcome(ending=Ending.COMPLETE, kept_epoch=None)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("raises", "ZeroDivisionError: in the second epoch"),
        ("raises_os_error", "ConnectionResetError: the data server is gone"),
        ("says_no_number", "ValueError: could not convert string to float"),
        ("no_such_function", "module tests.run.objectives has no function 'no_such_function'"),
        ("NOT_CALLABLE", "has no function 'NOT_CALLABLE'"),
    ],
)
def test_what_a_trial_raises_is_its_own_failure(name: str, error: str) -> None:
    """Whatever goes wrong in a trial, an OSError too, is a failed outcome with its traceback; the worker lives on."""
    outcome = drive(assignment(name), Line(say()[0]))
    assert isinstance(outcome, Outcome)
    assert (outcome.ending, outcome.reason) == (Ending.FAILED, "error")
    assert outcome.error is not None
    assert error in outcome.error


def test_a_long_traceback_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a traceback is kept, where the error stands."""
    monkeypatch.setattr(troubles, "MAX_ERROR_CHARS", 60)
    outcome = drive(assignment("raises"), Line(say()[0]))
    assert isinstance(outcome, Outcome)
    assert outcome.error is not None
    assert len(outcome.error) == 60
    assert outcome.error.endswith("ZeroDivisionError: in the second epoch\n")


@pytest.mark.parametrize("name", ["yields", "reports", "returns", "swallows"])
def test_a_broken_connection_is_no_failure(name: str) -> None:
    """Where the coordinator is gone the `OSError` comes out, even through an objective that swallows its own."""
    lost = BrokenPipeError("the coordinator is gone")
    with pytest.raises(BrokenPipeError) as raised:
        drive(assignment(name), Line(say(lost)[0]))
    assert raised.value is lost


def test_early_stopping_watches_what_is_reported() -> None:
    """An objective's early stopping applies; where it watches what is not reported the trial fails, saying so."""
    patience = {"monitor": "score", "mode": "max", "patience": 1}
    outcome = drive(assignment("yields", 0.5, 0.4, 0.9, early_stopping=patience), Line(say()[0]))
    assert outcome == Outcome(ending=Ending.COMPLETE, reason="early_stopping", kept_epoch=1)
    outcome = drive(assignment("yields", early_stopping={"monitor": "val_loss"}), Line(say()[0]))
    assert isinstance(outcome, Outcome)
    assert outcome.ending is Ending.FAILED
    assert "early_stopping.monitor 'val_loss' is not among the reported metrics: score" in (outcome.error or "")


def test_threads_are_set_for_every_trial() -> None:
    """A trial computes with the threads it was given, in torch and in what starts later."""
    before = torch.get_num_threads()
    try:
        for threads in (2, 1):
            ask, told = say()
            drive(assignment("counts_threads", threads=threads), Line(ask))
            assert told[0].metrics == {"score": float(threads)}
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


TRAINING = {"data": {"name": "digits"}, "epochs": 3, "model": {"name": "mlp", "width": 8}, "batch_size": 256}


def test_our_own_training_is_driven() -> None:
    """Tunefast's own training reports its metrics after each epoch, and ends where it is told to."""
    given_ = assignment("unused").model_copy(update={"recipe": TRAINING})
    ask, told = say(GO, Answer(verdict=Verdict.PRUNE, reason="pruner"))
    assert drive(given_, Line(ask)) == Outcome(ending=Ending.PRUNED, reason="pruner", kept_epoch=2)
    assert [said.epoch for said in told] == [1, 2]
    assert told[0].metrics.keys() == {"loss", "accuracy", "val_loss", "val_accuracy"}
    ask, told = say()
    assert drive(given_, Line(ask)) == Outcome(ending=Ending.COMPLETE, kept_epoch=3)
    with pytest.raises(BrokenPipeError):
        drive(given_, Line(say(BrokenPipeError())[0]))


def test_an_attempt_with_nothing_left_to_do() -> None:
    """Where an earlier attempt had said all, what it said counts, with early stopping as it would have been."""
    patience = {"monitor": "score", "mode": "max", "patience": 5, "restore_best_weights": True}
    given = assignment("returns_nothing", early_stopping=patience)
    earlier = [report(1, score=0.1), report(2, score=0.9), report(3, score=0.5)]
    outcome = drive(given.model_copy(update={"earlier": earlier}), Line(say()[0]))
    assert outcome == Outcome(ending=Ending.COMPLETE, kept_epoch=2)


def test_a_verdict_that_was_not_stored_in_time() -> None:
    """An attempt that goes on from where the last one was told to stop ends there, for the same reason."""
    driver = Driver(None, say()[0])
    driver.recall([report(1, score=0.1), report(2, score=0.9)])
    driver.conclude("target")
    assert driver.outcome() == Outcome(ending=Ending.COMPLETE, reason="target", kept_epoch=2)


def test_what_a_coordinator_forgot_is_told_again(tmp_path: Path) -> None:
    """An own training that saves before it reports misses no epoch, whoever was killed when."""
    given = assignment("goes_on", 0.1, 0.2, 0.3, 0.4).model_copy(update={"directory": str(tmp_path)})
    ask, told = say(GO, GO, BrokenPipeError())  # killed with its coordinator, which had stored the first epoch alone
    with pytest.raises(BrokenPipeError):
        drive(given, Line(ask))
    assert [said.epoch for said in told] == [1, 2, 3]
    recalled: list[int] = []
    ask, told = say()
    line = Line(ask, recall=lambda reports: recalled.extend(said.epoch for said in reports))
    again = given.model_copy(update={"attempt": 2, "earlier": [report(1, score=0.1)]})
    assert drive(again, line) == Outcome(ending=Ending.COMPLETE, kept_epoch=4)
    assert recalled == [2]
    assert [said.epoch for said in told] == [3, 4]
