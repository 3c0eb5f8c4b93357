"""The training loop, as whoever drives it sees it."""

from __future__ import annotations

import math

import pytest
import torch

from tests.train.driving import CPU, differing, drive, recipe, weights, without_times
from tunefast.errors import DataError
from tunefast.spec.progress import Answer, EpochReport, Verdict
from tunefast.train.datasets import load_dataset
from tunefast.train.lane import Lane
from tunefast.train.loop import train

DROPOUT = {"name": "mlp", "width": 32, "depth": 2, "dropout": 0.2}


def test_reports() -> None:
    """Each epoch reports its number, all metrics, rate, times, steps, samples and memory."""
    made = recipe(epochs=3, schedule={"name": "cosine"})
    count = len(load_dataset(made.data, CPU).train)
    reports, _ = drive(made)
    assert [report.epoch for report in reports] == [1, 2, 3]
    for report in reports:
        assert tuple(report.metrics) == made.reported_metrics
        assert all(math.isfinite(value) for value in report.metrics.values())
        assert 0 <= report.metrics["accuracy"] <= 1
        assert (report.samples, report.steps) == (count, -(-count // 64))
        assert report.train_seconds > 0
        assert report.eval_seconds > 0
        assert report.peak_memory_bytes is not None
        assert report.peak_memory_bytes > 2**20
        assert not report.diverged()
    rates = [report.learning_rate or 0 for report in reports]
    assert 0.1 > rates[0] > rates[1] > rates[2] > 0


def test_learns() -> None:
    """Digits are learnt in a few epochs."""
    reports, _ = drive(recipe(epochs=6))
    assert max(report.metrics["val_accuracy"] for report in reports) > 0.94
    assert reports[-1].metrics["loss"] < reports[0].metrics["loss"] / 3


def test_metrics_are_those_of_the_validation_part() -> None:
    """The last report says what the model that comes out does on the validation part."""
    made = recipe()
    reports, network = drive(made)
    lane = Lane(made, load_dataset(made.data, CPU), 0, CPU)
    lane.network.load_state_dict(network.state_dict())
    scores = {f"val_{name}": value for name, value in lane.evaluate().items()}
    assert scores.items() <= reports[-1].metrics.items()


@pytest.mark.parametrize("verdict", [Verdict.PRUNE, Verdict.STOP, Verdict.PAUSE])
def test_verdict_ends_it(verdict: Verdict) -> None:
    """Every verdict but CONTINUE ends the training at that epoch."""
    reports, _ = drive(
        recipe(epochs=5), driver=lambda report: Answer(verdict=verdict if report.epoch == 2 else Verdict.CONTINUE)
    )
    assert len(reports) == 2


@pytest.mark.parametrize("ending", [Verdict.CONTINUE, Verdict.STOP])
def test_kept_epoch_comes_out(ending: Verdict) -> None:
    """The model that comes out has the weights of the epoch that was kept last, however the training ended."""

    def keep_second(report: EpochReport) -> Answer:
        return Answer(verdict=ending if report.epoch == 4 else Verdict.CONTINUE, keep=report.epoch in (1, 2))

    def stop_at_second(report: EpochReport) -> Answer:
        return Answer(verdict=Verdict.STOP if report.epoch == 2 else Verdict.CONTINUE)

    _, kept = drive(recipe(epochs=4), driver=keep_second)
    _, second = drive(recipe(epochs=4), driver=stop_at_second)
    assert not differing(weights(kept), weights(second))


def test_kept_at_the_end() -> None:
    """An answer that keeps the epoch and ends the trial does both."""
    _, model = drive(recipe(), driver=lambda report: Answer(verdict=Verdict.STOP, keep=report.epoch == 1))
    _, again = drive(recipe(epochs=2), driver=lambda report: Answer(verdict=Verdict.STOP, keep=report.epoch == 2))
    assert not differing(weights(model), weights(again))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_same_seed_same_reports(precision: str) -> None:
    """A recipe and a seed give the same reports bit for bit, whatever torch's global generator is at."""
    made = recipe(model=DROPOUT, precision=precision, optimizer={"name": "adamw"})
    torch.manual_seed(1)
    first, model = drive(made, seed=11)
    torch.manual_seed(2)
    second, again = drive(made, seed=11)
    assert without_times(first) == without_times(second)
    assert not differing(weights(model), weights(again))
    assert without_times(drive(made, seed=12)[0]) != without_times(first)


def test_global_state_is_untouched() -> None:
    """Training changes neither torch's global generator nor NumPy's nor the number of threads."""
    import random

    import numpy as np

    def state() -> list[str]:
        return [
            str(torch.get_rng_state().tolist()),
            str(random.getstate()),
            str(np.random.get_state()),  # noqa: NPY002 - the very state that is watched
            str(torch.get_num_threads()),
        ]

    before = state()
    drive(recipe(model=DROPOUT))
    assert state() == before


def test_two_at_a_time() -> None:
    """Trials that take turns in one process train as they would alone."""
    alone = [without_times(drive(recipe(model=DROPOUT), seed=seed)[0]) for seed in (1, 2)]
    one, other = (train(recipe(model=DROPOUT), seed, CPU) for seed in (1, 2))
    reports = [[next(one)], [next(other)]]
    for training, mine in ((one, reports[0]), (other, reports[1])):
        mine.append(training.send(Answer(verdict=Verdict.CONTINUE)))
    assert [without_times(mine) for mine in reports] == alone


def test_divergence_is_reported() -> None:
    """A loss that is no number travels in the report; the one who drives decides."""
    reports, _ = drive(recipe(optimizer={"name": "sgd", "lr": 1e30}))
    assert reports[-1].diverged()


def test_left_alone() -> None:
    """A training that is given up halfway leaves without a sound."""
    training = train(recipe(epochs=5), 0, CPU)
    next(training)
    training.close()


def test_data_that_is_not_there() -> None:
    """Data that cannot be read is said at the first step."""
    with pytest.raises(DataError, match="/nowhere"):
        next(train(recipe(data={"name": "mnist", "root": "/nowhere"}), 0, CPU))
