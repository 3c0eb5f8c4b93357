"""What a summary says, and what looking at a study says of what is to come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from optuna.trial import TrialState
from rich.console import Console

from tests.report.made import FAILED, study, trial
from tests.store.databases import study_spec
from tunefast.cli.judging import show_missing
from tunefast.cli.summary import show_summary
from tunefast.errors import UserError
from tunefast.shell import DEFAULT_STORAGE
from tunefast.store.snapshot import StudySnapshot

MEDIAN = {"name": "median", "startup_trials": 5}


def printed(show: Callable[[Console], None]) -> str:
    """What is printed, without ends of lines."""
    console = Console(width=200)
    with console.capture() as capture:
        show(console)
    return capture.get()


def summary(found: StudySnapshot, reason: str) -> str:
    """The summary of a study that ended for `reason`."""
    return printed(lambda console: show_summary(console, found, reason, DEFAULT_STORAGE))


def test_an_aborted_study_says_how_the_rest_goes_on() -> None:
    """Where the first trials failed alike, retrying them is not all: others wait, and budget is left."""
    failed = [trial(state=FAILED, error="ValueError: no legs") for _ in range(3)]
    waiting = trial(state=TrialState.WAITING)
    for found, rest in (
        (study(*failed, waiting), "go on with those that wait and the rest, once what is wrong is mended"),
        (study(*failed), "go on with the rest, once what is wrong is mended"),
    ):
        commands = [line.split("  ")[1:] for line in summary(found, "failing").partition("Next:\n")[2].splitlines()]
        assert ["tunefast study run study", rest] in [[each.strip() for each in line if each] for line in commands]
    spent = study(*failed, spec=study_spec(budget={"trials": 3}))
    assert "tunefast study run" not in summary(spent, "failing")
    assert "tunefast study run" not in summary(study(*failed), "minutes")


def test_a_study_that_took_a_moment_took_some_time() -> None:
    """Less than a second is told as that part of one, not as 0 s."""
    assert "1 trial in 0.3 s: 1 complete." in summary(replace(study(trial(0.5)), active_seconds=0.3), "trials")


def test_imported_trials_are_told_apart() -> None:
    """The summary counts what was trained here, and says of a winner from another study that it is one."""
    found = study(trial(0.9, imported="old, trial 6"), trial(0.8, imported="old, trial 7"), trial(0.5))
    words = summary(replace(found, active_seconds=4.0), "trials")
    assert "1 trial in 4 s: 1 complete, and 2 imported." in words
    assert "Best score: 0.9000 (trial 0, imported: old, trial 6)" in words


def test_a_pruner_of_a_study_that_is_over_waits_for_nothing() -> None:
    """What it needs is told while there are to be more trials."""
    going = study(trial(0.5), spec=study_spec(pruner=MEDIAN))
    over = study(trial(0.5), spec=study_spec(pruner=MEDIAN, budget={"trials": 1}))
    needs = "the median pruner needs 4 more complete trials before it stops any\n"
    assert printed(lambda console: show_missing(console, going)) == needs
    assert over.is_over
    assert printed(lambda console: show_missing(console, over)) == ""


def test_a_study_without_trials_says_so() -> None:
    """Who asks for a trial of it is not told how none are counted."""
    with pytest.raises(UserError, match=r"^study 'study' has no trial 7; it has none yet$"):
        study().trial(7)
