"""From a program's numbers to reports."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunefast.run.script.epochs import Epochs, numbers_in
from tunefast.spec.progress import EpochReport


def counted(epochs: Epochs, *found: dict[str, float]) -> list[int]:
    """The numbers of the epochs that come of `found`."""
    reports = [epochs.add(numbers) for numbers in found]
    return [report.epoch for report in reports if report is not None]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('{"epoch": 1, "val_loss": 0.5}', {"epoch": 1.0, "val_loss": 0.5}),
        ('  {"val_loss": NaN, "name": "x", "ok": true, "list": [1]}\n', {"val_loss": math.nan}),
        ("{'epoch': 1}", {}),
        ("epoch 1: 0.5", {}),
        ("[1, 2]", {}),
        ("{", {}),
        ("", {}),
    ],
)
def test_lines(line: str, found: dict[str, float]) -> None:
    """A line that is a JSON object has numbers; all else, and all else in it, is the program's own business."""
    assert numbers_in(line) == pytest.approx(found, nan_ok=True)


@given(st.text())
def test_any_line(line: str) -> None:
    """No line is an error."""
    assert all(isinstance(value, float) for value in numbers_in(line).values())


@given(st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False, allow_infinity=False) | st.none()))
def test_every_number_of_a_line(table: dict[str, float | None]) -> None:
    """Numbers come out as they went in."""
    assert numbers_in(json.dumps(table)) == {name: value for name, value in table.items() if value is not None}


def test_numbers_are_gathered_until_the_metric_is_there() -> None:
    """A program may say the losses of an epoch before, or in other lines than, its accuracy."""
    epochs = Epochs(["val_acc"])
    assert epochs.add({"epoch": 1, "loss": 0.7}) is None
    report = epochs.add({"epoch": 1, "val_acc": 0.5})
    assert report is not None
    assert (report.epoch, report.metrics) == (1, {"loss": 0.7, "val_acc": 0.5})
    second = epochs.add({"epoch": 2, "val_acc": 0.6})
    assert second is not None
    assert second.metrics == {"val_acc": 0.6}
    assert epochs.seen == {"loss", "val_acc"}


def test_reports_are_counted_where_no_epoch_is_said() -> None:
    """The first report is that of epoch 1."""
    assert counted(Epochs(["m"]), {"m": 1}, {"other": 1}, {"m": 1}) == [1, 2]


@pytest.mark.parametrize(
    ("said", "numbered"),
    [
        ([0, 1, 2], [1, 2, 3]),
        ([1, 2, 3], [1, 2, 3]),
        ([5, 10, 15], [5, 10, 15]),
        ([0.5, 1.0, 1.5], [1, 2, 3]),
        ([1, 1, 2], [1, 2, 3]),
    ],
)
def test_epochs_that_are_said(said: list[float], numbered: list[int]) -> None:
    """Programs count from 0 or from 1; what is no whole number, or no new one, is counted on."""
    assert counted(Epochs(["m"]), *({"epoch": epoch, "m": 0.0} for epoch in said)) == numbered


@pytest.mark.parametrize("start", [0, 1])
def test_a_program_that_goes_on_from_its_checkpoint(start: int) -> None:
    """Whether it counts from 0 or from 1 is known from the attempts before."""
    before = Epochs(["m"])
    earlier = [before.add({"epoch": start + index, "m": 0.0}) for index in range(3)]
    after = Epochs(["m"], [report for report in earlier if report is not None])
    assert counted(after, {"epoch": start + 2, "m": 0.0}, {"epoch": start + 3, "m": 0.0}) == [3, 4]


def test_steps_say_after_which_report_it_goes_on() -> None:
    """TensorBoard's steps are no epochs, but they grow."""
    before = Epochs(["m"])
    assert counted(before, {"step": 100, "m": 0.0}) == [1]
    earlier = [EpochReport(epoch=number, metrics={}, details={"said_step": 100.0 * number}) for number in (1, 2, 3)]
    assert counted(Epochs(["m"], earlier), {"step": 300, "m": 0.0}, {"step": 400, "m": 0.0}) == [3, 4]
