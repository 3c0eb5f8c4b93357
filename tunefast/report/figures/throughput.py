"""Throughput: samples a second by batch size, accumulation and precision."""

from __future__ import annotations

import statistics
from collections import defaultdict
from typing import NamedTuple

from pydantic import ValidationError

from tunefast.recipe.recipe import TrainingRecipe
from tunefast.report.figures.drawing import BLUE, GREEN, ORANGE, PURPLE, SKY, picture
from tunefast.report.figures.figure import Drawing, Figure, Table
from tunefast.report.phrases import scaled
from tunefast.store.rows import SPLITS
from tunefast.store.snapshot import StudySnapshot

LOOKS = {"fp32": (BLUE, ""), "tf32": (SKY, "-"), "bf16": (ORANGE, "/"), "fp16": (GREEN, "."), "auto": (PURPLE, "x")}
"""Colour and pattern by precision, the same in every study."""


class Rate(NamedTuple):
    """Trials that were alike in what they fed the device."""

    batch_size: int
    accumulation_steps: int
    precision: str
    num_trials: int
    low: float
    median: float
    high: float
    """Samples a second: quartiles over the trials' own rates."""

    @property
    def label(self) -> str:
        """Its batches."""
        return f"{self.batch_size} x {self.accumulation_steps}"


def numbers(study: StudySnapshot) -> list[Rate] | None:
    """By batch size, accumulation and precision; None where training is not tunefast's own, or was not timed."""
    if not study.trains_with_ours:
        return None
    totals: dict[int, tuple[int, float]] = {}
    for row in study.epochs:
        samples, seconds = totals.get(row["trial"], (0, 0.0))
        totals[row["trial"]] = (samples + row["samples"], seconds + row["train_seconds"])
    rates: dict[tuple[int, int, str], list[float]] = defaultdict(list)
    for trial in study.trials:
        samples, seconds = totals.get(trial.number, (0, 0.0))
        if samples and seconds > 0:
            try:
                recipe = study.spec.recipe_for(trial.params, trial.user_attrs.get(SPLITS, 0))
            except ValidationError:
                continue  # of a study whose spec was edited since
            if isinstance(recipe, TrainingRecipe):
                key = (recipe.batch_size, recipe.accumulation_steps, recipe.precision)
                rates[key].append(samples / seconds)
    return [_rate(key, rates[key]) for key in sorted(rates)] or None


def _rate(key: tuple[int, int, str], rates: list[float]) -> Rate:
    low, median, high = statistics.quantiles(rates, n=4, method="inclusive") if len(rates) > 1 else rates * 3
    return Rate(*key, len(rates), low, median, high)


def draw(rates: list[Rate]) -> Drawing:
    """A group per batch size and accumulation, a bar per precision."""
    labels = list(dict.fromkeys(rate.label for rate in rates))
    traces = []
    for precision in dict.fromkeys(rate.precision for rate in rates):
        colour, shape = LOOKS[precision]
        own = [rate for rate in rates if rate.precision == precision]
        above, below = [rate.high - rate.median for rate in own], [rate.median - rate.low for rate in own]
        traces.append(
            {
                "type": "bar",
                "name": precision,
                "x": [rate.label for rate in own],
                "y": [rate.median for rate in own],
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": above,
                    "arrayminus": below,
                    "color": "#808080",
                },
                "text": [f"{rate.num_trials} trials" for rate in own],
                "textposition": "none",
                "hovertemplate": "%{x}, %{text}: %{y:.4s} samples/s",
                "marker": {"color": colour, "pattern": {"shape": shape}},
            }
        )
    columns = {"type": "category", "categoryorder": "array", "categoryarray": labels}
    return picture(traces, x="batch size x accumulation steps", y="samples/s", xaxis=columns, barmode="group")


def caption(_: list[Rate]) -> str:
    """What the bars are."""
    return "Median over trials of training samples a second, with quartiles; other settings differ too."


def table(rates: list[Rate]) -> Table:
    """A row per kind."""
    rows = [
        (str(each.batch_size), str(each.accumulation_steps), each.precision, str(each.num_trials), scaled(each.median))
        for each in rates
    ]
    return Table(("batch size", "accumulation", "precision", "trials", "samples/s"), rows)


FIGURE = Figure("Throughput", "a trial of tunefast's own training that was timed", numbers, draw, table, caption)
