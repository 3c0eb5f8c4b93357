"""When a study ends."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest

from tunefast.search.budget import SAME_FAILURES, End, FirstErrors, reached, spent
from tunefast.spec.sections import Budget


@pytest.mark.parametrize(
    ("budget", "trials", "seconds", "end"),
    [
        ({"trials": 3}, 2, 1e9, None),
        ({"trials": 3}, 3, 0, End.TRIALS),
        ({"trials": 3}, 4, 0, End.TRIALS),
        ({"minutes": 0.5}, 1000, 29.9, None),
        ({"minutes": 0.5}, 0, 30, End.MINUTES),
        ({"trials": 3, "minutes": 0.5}, 3, 30, End.MINUTES),
        ({"trials": 3, "minutes": 0.5}, 3, 29, End.TRIALS),
        ({"target": 1.0}, 1000, 1e9, None),
    ],
)
def test_spent(budget: dict[str, Any], trials: int, seconds: float, end: End | None) -> None:
    """A study is over when the last trial was handed out, or its minutes are up, which is the more urgent."""
    assert spent(Budget(**budget), trials, seconds) is end


@pytest.mark.parametrize(("value", "greater", "smaller"), [(0.4, False, True), (0.5, True, True), (0.6, True, False)])
def test_reached(value: float, *, greater: bool, smaller: bool) -> None:
    """A value as good as the target reaches it; NaN never does, nor anything where there is no target."""
    assert reached(0.5, value, maximize=True) is greater
    assert reached(0.5, value, maximize=False) is smaller
    assert not reached(0.5, math.nan, maximize=True)
    assert not reached(None, math.inf, maximize=True)


def test_only_the_last_trial_handed_out_lets_the_others_run() -> None:
    """Every other end stops the trials that still run."""
    assert [end for end in End if not end.stops_running_trials] == [End.TRIALS]


def test_first_errors_that_are_all_alike() -> None:
    """Only the first errors count, by their last lines, and only once."""
    watch = FirstErrors()
    errors = [f"Traceback, line {number}\nValueError: bad" for number in range(2 * SAME_FAILURES)]
    expected = [False] * (2 * SAME_FAILURES)
    expected[SAME_FAILURES - 1] = True
    assert [watch.all_same(error) for error in errors] == expected


@pytest.mark.parametrize(
    "errors", [["a", "a", "b"], ["a", None, "a"], [None, "a", "a", "a"], [None, None, None], ["", " ", "\n"]]
)
def test_first_errors_that_are_not(errors: list[str | None]) -> None:
    """A success, or another error, among the first trials says that it is up to the recipe."""
    watch = FirstErrors()
    assert not any(watch.all_same(error) for error in [*errors, "a", "a", "a"])


def test_an_error_that_is_one_long_word() -> None:
    """The coordinator answers nobody meanwhile, so a program that prints a megabyte without a space takes no time."""
    watch, started = FirstErrors(), time.process_time()
    assert [watch.all_same("x" * 1_000_000) for _ in range(SAME_FAILURES)][-1]
    assert time.process_time() - started < 1
