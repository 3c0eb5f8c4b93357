"""The live view: what a terminal shows, at 80 columns."""

from __future__ import annotations

import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tunefast.cli.live import SPARKS, Page, line, picture, sparkline, terminal_page
from tunefast.spec.progress import Progress, SlotView

BUSY = SlotView(
    worker="w12",
    device="cuda:15",
    trial=1234,
    attempt=2,
    epoch=150,
    epochs=300,
    metric=0.98125,
    curve=[0.1, 0.5, 0.9],
    samples_per_second=123456.7,
    peak_memory_bytes=3 * 2**30,
    use=0.974,
)
PROGRESS = Progress(
    study="a study",
    metric="val_accuracy",
    direction="maximize",
    trials=2000,
    counts={"complete": 1000, "running": 2},
    best_trial=7,
    best_value=0.99,
    slots=[BUSY, SlotView(worker="w13", device="cuda:15")],
    elapsed_seconds=75.0,
    lately=["trial 3 pruned after epoch 6: others are better"],
)


def drawn(progress: Progress, page: Page) -> list[str]:
    """The lines that a terminal of 80 columns shows."""
    out = io.StringIO()
    Console(file=out, width=80, force_terminal=False).print(picture(progress, page))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_a_line_a_slot() -> None:
    """The page that ships has one line for each slot, none of them cut, with how far, how good and how fast it is."""
    lines = drawn(PROGRESS, terminal_page())
    assert lines[:4] == [
        "a study",
        "worker  device     trial  epoch             val_accuracy  curve    samples  use",
        "w12     cuda:15  1234 #2  ━━━━╌╌╌╌ 150/300        0.9812  ▁▅█    123,457/s  97%",
        "w13     cuda:15    waits",
    ]
    assert "1000/2000 trials (1000 complete, 2 running)" in lines
    assert lines[-1] == "trial 3 pruned after epoch 6: others are better"


def test_a_long_curve_gives_way() -> None:
    """Where a line would be too long, the latest part of the curve is left, and all else is whole."""
    long = BUSY.model_copy(update={"curve": [float(point) for point in range(12)]})
    line = drawn(PROGRESS.model_copy(update={"slots": [long]}), terminal_page())[2]
    assert len(line) <= 80
    assert line.startswith("w12     cuda:15  1234 #2  ━━━━╌╌╌╌ 150/300        0.9812  ")
    assert line.endswith("▆▇▇█  123,457/s  97%")


def test_a_page_of_ones_own() -> None:
    """Columns and lines are those of the page, in its order."""
    assert drawn(PROGRESS, Page(["trial", "memory"], ["time"])) == [
        "a study",
        "  trial   memory",
        "1234 #2  3.0 GiB",
        "  waits",
        "",
        "1 min 15 s so far",
    ]


@pytest.mark.parametrize(
    ("eta", "counts", "said"),
    [
        (30.0, {"complete": 5, "running": 1}, "1 min 15 s so far, about 30 s left"),
        (0.2, {"complete": 7, "running": 1}, "1 min 15 s so far, finishing"),
        (None, {"complete": 7, "waiting": 1}, "1 min 15 s so far, finishing"),
        (None, {"complete": 8, "running": 1}, "1 min 15 s so far, finishing"),
        (None, {"complete": 2, "running": 1}, "1 min 15 s so far"),
        (None, {"complete": 8}, "1 min 15 s so far"),
    ],
)
def test_no_time_is_promised_that_nobody_knows(eta: float | None, counts: dict[str, int], said: str) -> None:
    """While second chances are left, and no trial begins any more, it is finishing, and not about 0 s."""
    progress = PROGRESS.model_copy(update={"trials": 8, "counts": counts, "eta_seconds": eta})
    assert drawn(progress, Page([], ["time"]))[-1] == said


def test_a_paused_study_says_how_to_go_on() -> None:
    """Who looks at a paused study reads what to type."""
    lines = drawn(PROGRESS.model_copy(update={"held": True}), terminal_page())
    assert lines[0] == "a study  paused; to go on: tunefast study resume 'a study'"


def test_words_are_taken_as_they_are() -> None:
    """What looks like markup in a reason is text."""
    lines = drawn(PROGRESS.model_copy(update={"lately": ["trial 1 infeasible: f1[macro] [/x]"]}), terminal_page())
    assert lines[-1] == "trial 1 infeasible: f1[macro] [/x]"


def test_an_unknown_length() -> None:
    """A trial whose epochs nobody knows has their number alone."""
    slot = SlotView(worker="w1", device="cpu", trial=1, epoch=7)
    assert drawn(PROGRESS.model_copy(update={"slots": [slot]}), Page(["epoch"], []))[2] == "7"


@pytest.mark.parametrize(("values", "line"), [([], ""), ([math.nan], ""), ([1.0, math.nan, 2.0], "▁ █"), ([5.0], "▁")])
def test_sparklines_of_little(values: list[float], line: str) -> None:
    """Without a finite value there is nothing to draw; other values leave a gap; one value is a low one."""
    assert sparkline(values) == line


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=12, unique=True))
def test_sparklines_rise_and_fall_as_values_do(values: list[float]) -> None:
    """The least value is the lowest mark, the greatest the highest, and no greater value has a lower mark."""
    heights = [SPARKS.index(mark) for mark in sparkline(values)]
    assert len(heights) == len(values)
    assert (heights[values.index(min(values))], heights[values.index(max(values))]) == (0, len(SPARKS) - 1)
    assert [height for _, height in sorted(zip(values, heights, strict=True))] == sorted(heights)


def test_imported_trials_are_none_of_the_budget() -> None:
    """Trials from another study stand beside those that the budget counts."""
    said = line(PROGRESS.model_copy(update={"trials": 12, "counts": {"complete": 12, "imported": 14}}))
    assert said.startswith("12/12 trials (12 complete, and 14 imported); ")
