"""Throughput."""

from __future__ import annotations

from typing import get_args

from tests.report.made import epoch, study, trial
from tests.spec.specs import spec
from tunefast.recipe.precision import Precision
from tunefast.report.figures import throughput


def test_trials_that_feed_alike_are_one_rate() -> None:
    """The median and the quartiles are over the trials of a batch size, accumulation and precision."""
    own = spec("[space]\nbatch_size = { choices = [32, 64] }\n")
    trials = [trial(0.5, params={"batch_size": size}) for size in (32, 32, 32, 64)]
    rows = [epoch(of, 1, 0.5, seconds=seconds) for of, seconds in enumerate((1, 2, 4, 0.5))]
    found = throughput.numbers(study(*trials, epochs=rows, spec=own))
    assert found == [
        throughput.Rate(32, 1, "fp32", 3, 37.5, 50.0, 75.0),
        throughput.Rate(64, 1, "fp32", 1, 200.0, 200.0, 200.0),
    ]


def test_bars_by_precision() -> None:
    """A trace per precision, in groups of batches."""
    rates = [throughput.Rate(32, 2, kind, 2, 1.0, 2.0, 4.0) for kind in ("bf16", "fp32")]
    first, second = throughput.draw(rates)["data"]
    assert [first["name"], second["name"]] == ["bf16", "fp32"]
    assert list(first["x"]) == ["32 x 2"]
    assert list(first["error_y"]["array"]) == [2.0]


def test_a_precision_looks_the_same_in_every_study() -> None:
    """Whichever others there are, and there is a look of its own for each that a recipe may have."""
    alone = throughput.draw([throughput.Rate(32, 1, "bf16", 1, 1.0, 1.0, 1.0)])["data"]
    rates = [throughput.Rate(32, 1, kind, 1, 1.0, 1.0, 1.0) for kind in get_args(Precision)]
    every = throughput.draw(rates)["data"]
    assert alone[0]["marker"] == next(trace for trace in every if trace["name"] == "bf16")["marker"]
    assert len({(each["marker"]["color"], each["marker"]["pattern"]["shape"]) for each in every}) == len(every)


def test_batches_of_other_training_are_not_known() -> None:
    """An own objective has no batch size that tunefast knows."""
    assert throughput.numbers(study(trial(0.5), epochs=[epoch(0, 1, 0.5)])) is None
