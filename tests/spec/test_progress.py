"""What travels between processes."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tunefast.spec.progress import Answer, Assignment, Ending, EpochReport, Outcome, Progress, Verdict

numbers = st.floats(allow_nan=True, allow_infinity=True)


@given(st.dictionaries(st.text(max_size=10), numbers, max_size=5), st.none() | st.floats(0, 1))
def test_reports_travel(metrics: dict[str, float], learning_rate: float | None) -> None:
    """A report arrives as it was sent, also when its numbers are none."""
    report = EpochReport(epoch=1, metrics=metrics, learning_rate=learning_rate)
    again = EpochReport.model_validate_json(report.model_dump_json())
    assert again.metrics == pytest.approx(metrics, rel=0, abs=0, nan_ok=True)
    assert again.learning_rate == learning_rate


@pytest.mark.parametrize("verdict", Verdict)
def test_answers_travel(verdict: Verdict) -> None:
    """An answer arrives as it was sent."""
    answer = Answer(verdict=verdict, keep=True, reason="target")
    assert Answer.model_validate_json(answer.model_dump_json()) == answer


def test_assignments_and_outcomes_travel() -> None:
    """So do an attempt at a trial and how it ended."""
    assignment = Assignment(
        study="a",
        trial=1,
        token=2,
        attempt=1,
        recipe={"lr": 0.1, "betas": [0.9, 1]},
        seed=2**62,
        threads=1,
        device="cpu",
    )
    assert Assignment.model_validate_json(assignment.model_dump_json()) == assignment
    outcome = Outcome(ending=Ending.FAILED, error="Traceback ...")
    assert Outcome.model_validate_json(outcome.model_dump_json()) == outcome


@pytest.mark.parametrize(
    ("metrics", "diverged"),
    [
        ({"loss": 1.0, "val_loss": 2.0}, False),
        ({"loss": math.nan, "val_loss": 2.0}, True),
        ({"loss": 1.0, "val_loss": math.inf}, True),
        ({"loss": 1.0, "f1": math.nan}, False),
        ({}, False),
    ],
)
def test_diverged(metrics: dict[str, float], diverged: bool) -> None:
    """A trial has diverged when a loss is no longer finite, whatever other metrics say."""
    assert EpochReport(epoch=1, metrics=metrics).diverged() == diverged


def test_epochs_count_from_one() -> None:
    """There is no report of the untrained model."""
    with pytest.raises(ValidationError):
        EpochReport(epoch=0, metrics={})


def test_unknown_fields_are_refused() -> None:
    """A message of another release is noticed."""
    with pytest.raises(ValidationError):
        Answer.model_validate(json.loads('{"verdict": "continue", "kept": true}'))


def test_finished() -> None:
    """Every trial but a running one has ended."""
    counts = {"complete": 3, "pruned": 2, "running": 4, "failed": 1}
    assert Progress(study="a", metric="loss", direction="minimize", trials=9, counts=counts).finished == 6
