"""What the parts of a recipe keep to when they are built and trained."""

from __future__ import annotations

import math
import typing
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conformance.parts import parts_of, recipe, with_files
from tunefast.recipe.data import DataPart
from tunefast.recipe.precision import Precision
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.train.cache import decoded
from tunefast.train.datasets import load_dataset
from tunefast.train.evaluate import evaluate
from tunefast.train.lane import Lane

CPU = torch.device("cpu")
PRECISIONS: tuple[Precision, ...] = typing.get_args(Precision)

each_precision = pytest.mark.parametrize("precision", PRECISIONS)


def _trains(made: TrainingRecipe) -> None:
    """An epoch of a few steps changes the weights, and losses are finite numbers."""
    dataset = load_dataset(made.data, CPU)
    lane = Lane(made, dataset, 0, CPU)
    before = [parameter.detach().clone() for parameter in lane.model.parameters()]
    totals = lane.train_epoch(1)
    scores = evaluate(lane.model, dataset, dataset.test_inputs, dataset.test_labels, made.precision)
    assert math.isfinite(totals.loss)
    assert math.isfinite(scores.loss)
    assert any(not torch.equal(one, other) for one, other in zip(lane.model.parameters(), before, strict=True))
    assert all(torch.isfinite(parameter).all() for parameter in lane.model.parameters())


@each_precision
@pytest.mark.parametrize("model", parts_of("model"))
def test_models(model: type[Any], precision: Precision) -> None:
    """Every model builds for digits and trains in every precision, with dropout and batch norm too."""
    _trains(recipe(model=model(), precision=precision))
    _trains(recipe(model=model(dropout=0.2, batch_norm=True), precision=precision, accumulation_steps=2))


@each_precision
@pytest.mark.parametrize("optimizer", parts_of("optimizer"))
def test_optimizers(optimizer: type[Any], precision: Precision) -> None:
    """Every optimizer trains in every precision."""
    _trains(recipe(optimizer=optimizer(), precision=precision))


@each_precision
@pytest.mark.parametrize("schedule", parts_of("schedule"))
def test_schedules(schedule: type[Any], precision: Precision) -> None:
    """Every schedule trains in every precision."""
    _trains(recipe(schedule=schedule(), precision=precision))


@pytest.mark.parametrize("optimizer", parts_of("optimizer"))
@pytest.mark.parametrize("schedule", parts_of("schedule"))
def test_schedules_with_optimizers(schedule: type[Any], optimizer: type[Any]) -> None:
    """Every schedule moves every optimizer."""
    _trains(recipe(schedule=schedule(), optimizer=optimizer()))


@pytest.mark.parametrize("data", parts_of("data"))
def test_data(data: type[Any], tmp_path: Path) -> None:
    """Every data part decodes to the documented arrays and trains."""
    part: DataPart = with_files(data(), tmp_path)
    arrays = decoded(part)
    assert (arrays.inputs.ndim, str(arrays.inputs.dtype)) in {(4, "uint8"), (2, "float32")}
    assert arrays.labels.shape == (len(arrays.inputs),)
    assert str(arrays.labels.dtype) == "int64"
    assert set(arrays.labels.tolist()) == set(range(int(arrays.labels.max()) + 1))
    assert all(path.exists() for path in part.source())
    _trains(recipe(data=part, batch_size=32))


@pytest.mark.parametrize("data", parts_of("data"))
def test_data_has_a_place(data: type[Any], tmp_path: Path) -> None:
    """A located part says itself where it is, so that a worker in another directory finds it."""
    part: DataPart = with_files(data(), tmp_path)
    located = part.located()
    assert located.located() == located
    assert located == part
    assert Path(getattr(located, "root", None) or "/").is_absolute()


@pytest.mark.parametrize("schedule", parts_of("schedule"))
@pytest.mark.parametrize("num_steps", [1, 2, 3, 10, 1000])
def test_schedule_points(schedule: type[Any], num_steps: int) -> None:
    """Every schedule has a rate from 0 to the full one at every step of any run, and says truly whether it ends low."""
    made = schedule()
    points = [made.at(step, num_steps) for step in range(num_steps)]
    assert all(0 <= point.factor <= 1 + 1e-12 for point in points)
    assert all(point.momentum is None or 0 <= point.momentum < 1 for point in points)
    assert 0 <= made.peak <= 1
    if num_steps == 1000:
        assert (points[-1].factor < 0.1) == made.annealed
