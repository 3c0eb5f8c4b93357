"""What the doctor says of a training with tunefast's own loop."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from tests.doctor.cases import anatomy
from tunefast.cli.diagnosis import diagnosis_document, show_diagnosis
from tunefast.doctor.diagnosis import Diagnosis
from tunefast.doctor.findings import ROUNDED, Gain, Memory, Rates, Remedy, Seen

COMPILE = Gain(Remedy("compile the model", {"hardware.compile": "on"}, ROUNDED), 1.31, 1.25, 1.37, 10.0, 0.0)


def diagnosed(*gains: Gain, **changes: Any) -> Diagnosis:
    """Of steps of 20 ms, 100 an epoch, unless `changes` say otherwise."""
    seen = Seen(
        anatomy=anatomy(**{"step_seconds": 0.02, **changes}),
        rates=Rates(flops=1e11, bytes=1e10),
        memory=Memory(0, None, None, None),
        remedies=[],
        left_alone=[],
    )
    return Diagnosis.of(seen, list(gains))


def said(found: Diagnosis) -> str:
    """What a terminal of 80 columns shows, its lines joined."""
    shown = io.StringIO()
    show_diagnosis(Console(file=shown, width=80), found, "s.toml", "val_accuracy", 2, 60.0)
    return " ".join(shown.getvalue().split())


@pytest.mark.parametrize(
    ("epochs", "remark"),
    [
        (3, "compile the model; rounding alone; once 10 s: pays after 22 epochs, and a trial has 3"),
        (22, "compile the model; rounding alone; once 10 s: pays after 22 epochs"),
    ],
)
def test_what_pays_after_a_trial_has_ended_is_not_advised(epochs: int, remark: str) -> None:
    """What a remedy costs once stands beside the epochs that save as much, whether a trial has them or not."""
    found = diagnosed(COMPILE, epochs=epochs)
    assert remark in said(found)
    assert ("and a trial has" in said(found)) == (epochs == 3)
    assert not found.advised
    assert "surely helps" not in said(found)


def test_what_pays_within_a_trial_is_advised() -> None:
    """At the lower end of its interval a remedy saves what it costs once before the trial's last epoch."""
    found = diagnosed(COMPILE, epochs=26)
    assert found.advised == [COMPILE]
    assert 'hardware.compile = "on"' in said(found).partition("surely helps")[2]


def test_what_never_pays() -> None:
    """A remedy that slows a training down does not pay after any number of epochs."""
    found = diagnosed(COMPILE._replace(ratio=0.9, low=0.8, high=1.0))
    assert "once 10 s; does not pay" in said(found)
    (remedy,) = diagnosis_document(found)["remedies"]
    assert remedy["pays_after_epochs"] is None


def test_the_noise_of_a_first_step_is_no_cost() -> None:
    """Less than a second more in the first step is no reason against a remedy, however short the training."""
    found = diagnosed(COMPILE._replace(first_seconds=0.5), epochs=1, steps_per_epoch=1)
    assert found.advised
    (remedy,) = diagnosis_document(found)["remedies"]
    assert remedy["pays_after_epochs"] == 0.0


def test_rows_add_up_to_the_step() -> None:
    """What is left between a step and its phases has a row of its own, with a share of the step."""
    found = diagnosed(step_seconds=0.0125)
    assert "A step takes 12.5 ms" in said(found)
    assert "16% 2.0 forward" in said(found)
    assert "20% 2.5 the rest of the loop" in said(found)
    assert diagnosis_document(found)["anatomy"]["rest_seconds"] == pytest.approx(0.0025)


def test_stops_are_taken_off_again() -> None:
    """On a GPU phases are told apart by stops, so a step takes less than they do: that too has a row, and no share."""
    found = diagnosed(step_seconds=0.008)
    assert "20% 2.0 forward" in said(found)
    assert "-2.0 less: waiting for the device after each, to tell them apart" in said(found)


def test_a_limit_by_computing_says_how_fast_that_is() -> None:
    """The share of computing is one of an epoch; how far its operations are from the device's rate is told with it."""
    near, far = (diagnosed(step_seconds=0.01, step_flops=flops) for flops in (5e8, 1e8))
    least = "The least it could take here: 1.0 ms (100 MFLOP at 100 GFLOP/s, as it multiplies large matrices)."
    assert least in said(far)
    assert "The least it could take here: 0.012 ms (1.2 MFLOP" in said(diagnosed(step_flops=1.2e6))
    assert "That is 60% of an epoch, and takes 6.0 times the least: small layers" in said(far)
    assert "That is 60% of an epoch." in said(near)
    fixed = diagnosed(step_seconds=0.01, step_flops=1e8, fixed_seconds=0.001)
    assert "That is 50% of an epoch, and takes 5.0 times the least" in said(fixed)
