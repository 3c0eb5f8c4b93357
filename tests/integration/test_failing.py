"""Trials that fail."""

from __future__ import annotations

from tests.integration.processes import Terminal
from tests.integration.specs import objective


def test_the_same_error_in_the_first_three_trials_stops_the_study(terminal: Terminal) -> None:
    """Three equal failures: exit code 1, the error shown, the rest of the budget unspent."""
    spec = str(terminal.write("s.toml", objective("broken", "broken", 20)))
    done = terminal.tunefast("study", "run", spec, "-n", "1", code=1)
    assert "the data loader has no legs" in done.stdout
    study = terminal.study("broken")
    assert study.counts == {"failed": 3}
    assert "RuntimeError" in study.trials[0].user_attrs["error"]


def test_a_trial_that_raises_is_failed_with_its_traceback_and_the_others_go_on(terminal: Terminal) -> None:
    """Some recipes fail: each is a failed trial with its traceback, and the budget is spent on all."""
    spec = str(terminal.write("s.toml", objective("fragile", "fragile", 12)))
    terminal.tunefast("study", "run", spec, "-n", "2")
    study = terminal.study("fragile")
    assert len(study.trials) == 12
    for trial in study.trials:
        failed = trial.params["params.x"] > 0.5
        assert trial.state.name == ("FAIL" if failed else "COMPLETE")
        assert ("is too much" in trial.user_attrs.get("error", "")) is failed
    shown = terminal.tunefast("study", "show", "fragile", "--trial", str(_first_failed(terminal))).stdout
    assert "Traceback" in shown


def test_a_worker_that_dies_in_every_trial_is_replaced_each_time(terminal: Terminal) -> None:
    """A process that ends in the middle of a trial costs an attempt, not the trial."""
    spec = str(terminal.write("s.toml", objective("deadly", "deadly", 4, epochs=2)))
    terminal.tunefast("study", "run", spec, "-n", "1")
    study = terminal.study("deadly")
    assert study.counts == {"complete": 4}
    assert [(row["trial"], row["attempt"]) for row in study.attempts] == [
        (trial, attempt) for trial in range(4) for attempt in (1, 2)
    ]


def _first_failed(terminal: Terminal) -> int:
    return next(trial.number for trial in terminal.study("fragile").trials if trial.state.name == "FAIL")
