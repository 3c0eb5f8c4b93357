"""What the parts of a recipe keep to when they are built and trained."""

from __future__ import annotations

import math
import typing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.conformance.parts import REGULARIZED, parts_of, recipe, small, with_files
from tests.conftest import REPOSITORY
from tunefast.nn.network import Network
from tunefast.recipe.data import DataPart, Decoded, TargetKind
from tunefast.recipe.losses import OwnLoss
from tunefast.recipe.precision import Precision
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.recipe.schedules import Horizon
from tunefast.train.cache import decoded
from tunefast.train.datasets import load_dataset
from tunefast.train.lane import Lane

CPU = torch.device("cpu")
PRECISIONS: tuple[Precision, ...] = typing.get_args(Precision)
KINDS: dict[TargetKind, dict[str, Any]] = {
    "classes": {"name": "sklearn", "set": "breast_cancer", "fraction": 0.3},
    "labels": {"name": "synthetic", "task": "labels", "samples": 200},
    "numbers": {"name": "sklearn", "set": "diabetes", "fraction": 0.4},
    "own": {"name": "torch_dataset", "path": "tests.own_code:Columns", "root": str(REPOSITORY), "as_is": True},
}
"""Data of two classes, which every loss for classes takes, and of the other kinds."""
OWN_LOSSES: dict[TargetKind, dict[str, Any]] = {
    "classes": {"path": "torch.nn:CrossEntropyLoss", "options": {"label_smoothing": 0.1}},
    "labels": {"path": "tests.own_code:binary", "options": {"weight": 2.0}},
    "numbers": {"path": "torch.nn:MSELoss"},
    "own": {"path": "tests.own_code:columns_loss", "outputs": 9},
}
"""A loss of the user's own for each kind of targets."""
TARGET_TYPES = {("int64", 1), ("uint8", 2), ("float32", 2)}

each_precision = pytest.mark.parametrize("precision", PRECISIONS)


def _trains(made: TrainingRecipe) -> Lane:
    """An epoch of a few steps changes the weights, and losses are finite numbers."""
    lane = Lane(made, load_dataset(made.data, CPU), 0, CPU)
    before = [parameter.detach().clone() for parameter in lane.network.parameters()]
    totals = lane.train_epoch(1)
    assert math.isfinite(totals.loss)
    assert math.isfinite(lane.evaluate()["loss"])
    assert any(not torch.equal(one, other) for one, other in zip(lane.network.parameters(), before, strict=True))
    assert all(torch.isfinite(parameter).all() for parameter in lane.network.parameters())
    return lane


def _loss(part: type[Any], kind: TargetKind) -> Any:
    return part(**OWN_LOSSES[kind]) if part is OwnLoss else part()


def _images(model: type[Any]) -> dict[str, Any]:
    """Images that are large enough for the model, and so few that it is done soon."""
    digits: dict[str, Any] = {"name": "digits", "validation": 0.02, "fraction": 0.05}
    is_large = model().table()["name"] in ("torchvision", "timm")
    return {"data": digits, "preprocess": {"image_size": 32} if is_large else {}}


@each_precision
@pytest.mark.parametrize("model", parts_of("model"))
def test_models(model: type[Any], precision: Precision) -> None:
    """Every model builds for digits and trains in every precision, with dropout and batch norm too."""
    regularized = small(model, **REGULARIZED[model().table()["name"]])
    _trains(recipe(model=small(model), precision=precision, batch_size=16, **_images(model)))
    _trains(recipe(model=regularized, precision=precision, batch_size=8, accumulation_steps=2, **_images(model)))


@pytest.mark.parametrize("model", parts_of("model"))
def test_networks(model: type[Any]) -> None:
    """Every model is a network of a backbone and a head for any number of outputs, and its layout is channels-last."""
    made = recipe(model=small(model), **_images(model))
    lane = Lane(made, load_dataset(made.data, CPU), 0, CPU)
    assert isinstance(lane.network, Network)
    assert lane.network.blocks()
    assert list(lane.network.head.parameters())
    assert all(
        weight.is_contiguous(memory_format=torch.channels_last)
        for weight in lane.network.parameters()
        if weight.ndim == 4
    )
    assert lane.details()["num_parameters"] == sum(weight.numel() for weight in lane.network.parameters())


@pytest.mark.parametrize("freeze", ["backbone", "blocks"])
@pytest.mark.parametrize("model", parts_of("model"))
def test_models_that_are_frozen(model: type[Any], freeze: str) -> None:
    """Every model trains with its backbone frozen, and with its last block thawed, on features and on images."""
    settings: dict[str, Any] = {"model": small(model), **_images(model)}
    transfer = {"freeze": freeze, **({"train_blocks": 1} if freeze == "blocks" else {})}
    for augment in ({}, {"crop_padding": 1}):
        lane = _trains(recipe(**settings, transfer=transfer, augment=augment))
        assert math.isfinite(lane.evaluate_test()["loss"])


@each_precision
@pytest.mark.parametrize("loss", parts_of("loss"))
def test_losses(loss: type[Any], precision: Precision) -> None:
    """Every loss trains in every precision on every kind of target that it is for, mixed ones too."""
    for kind in loss.kinds:
        for augment in ({}, {"mixup_alpha": 0.2}) if loss.mixable else ({},):
            _trains(recipe(loss=_loss(loss, kind), data=KINDS[kind], precision=precision, augment=augment))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", parts_of("loss"))
def test_losses_say_what_they_are_for(loss: type[Any], kind: TargetKind) -> None:
    """A loss refuses targets of a kind that it does not name, before anything is trained."""
    made = recipe(loss=_loss(loss, kind), data=KINDS[kind])
    dataset = load_dataset(made.data, CPU)
    if kind in loss.kinds:
        Lane(made, dataset, 0, CPU)
        return
    with pytest.raises(ValueError, match=f"loss '{made.loss.name}' is for .* but the targets of the data are {kind}"):
        Lane(made, dataset, 0, CPU)


@each_precision
@pytest.mark.parametrize("optimizer", parts_of("optimizer"))
def test_optimizers(optimizer: type[Any], precision: Precision) -> None:
    """Every optimizer trains vectors, matrices and kernels in every precision."""
    _trains(recipe(optimizer=optimizer(), precision=precision))
    _trains(recipe(optimizer=optimizer(), precision=precision, model={"name": "small_cnn", "width": 4}))


@each_precision
@pytest.mark.parametrize("schedule", parts_of("schedule"))
def test_schedules(schedule: type[Any], precision: Precision) -> None:
    """Every schedule trains in every precision."""
    _trains(recipe(schedule=schedule(), precision=precision))


@pytest.mark.parametrize("optimizer", parts_of("optimizer"))
@pytest.mark.parametrize("schedule", parts_of("schedule"))
def test_schedules_with_optimizers(schedule: type[Any], optimizer: type[Any]) -> None:
    """Every schedule moves every optimizer, with a warm-up too."""
    _trains(recipe(schedule=schedule(), optimizer=optimizer()))
    _trains(recipe(schedule=schedule(warmup_epochs=0.5), optimizer=optimizer()))


def _keeps_the_contract(arrays: Decoded) -> None:
    assert arrays.inputs.dtype == ("uint8" if arrays.images else "float32")
    assert (str(arrays.targets.dtype), arrays.targets.ndim) in TARGET_TYPES
    assert len(arrays.inputs) == len(arrays.targets)
    if arrays.target_kind.kind == "classes":
        assert set(arrays.targets.tolist()) == set(range(arrays.target_kind.size))
    for name in ("inputs", "targets"):
        for part in ("test_", "val_"):
            other = getattr(arrays, part + name)
            assert other is None or other.dtype == getattr(arrays, name).dtype
    assert np.isfinite(arrays.inputs).all()


@pytest.mark.parametrize("data", parts_of("data"))
def test_data(data: type[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every data part decodes to the documented arrays and trains."""
    part: DataPart = with_files(data(), tmp_path, monkeypatch)
    _keeps_the_contract(decoded(part))
    assert all(Path(path).exists() for path in part.source())
    lane = _trains(recipe(data=part, batch_size=32, optimizer={"name": "sgd", "lr": 0.01}))
    assert math.isfinite(lane.evaluate_test()["loss"])


@pytest.mark.parametrize("data", parts_of("data"))
def test_data_has_a_place(data: type[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A located part says itself where it is, so that a worker in another directory finds it."""
    part: DataPart = with_files(data(), tmp_path, monkeypatch)
    located = part.located()
    assert located.located() == located
    assert located == part
    assert Path(getattr(located, "root", None) or "/").is_absolute()


@pytest.mark.parametrize("schedule", parts_of("schedule"))
@pytest.mark.parametrize("warmup_epochs", [0.0, 0.4, 2.0, 50.0])
@pytest.mark.parametrize(("epochs", "steps_per_epoch"), [(1, 1), (1, 2), (3, 1), (2, 5), (200, 3)])
def test_schedule_points(schedule: type[Any], warmup_epochs: float, epochs: int, steps_per_epoch: int) -> None:
    """Every schedule has a rate from 0 to the full one at every step of any run, and says truly whether it ends low."""
    made, horizon = schedule(warmup_epochs=warmup_epochs), Horizon(epochs, steps_per_epoch)
    points = [made.point(step, horizon) for step in range(horizon.num_steps)]
    assert all(0 <= point.factor <= 1 + 1e-12 for point in points)
    assert all(point.momentum is None or 0 <= point.momentum < 1 for point in points)
    assert 0 <= made.peak_epoch(epochs) <= epochs
    if epochs == 200:
        assert made.annealed == (points[-1].factor < 0.1)


@pytest.mark.parametrize("schedule", parts_of("schedule"))
def test_schedules_adapt_within_bounds(schedule: type[Any]) -> None:
    """What a schedule makes of past values is a share of the rate, whatever those were."""
    made = schedule()
    histories: tuple[list[float], ...] = (
        [],
        [1.0],
        [1.0] * 30,
        [float(value) for value in range(30)],
        [math.nan] * 30,
        [math.inf, -math.inf],
    )
    assert all(0 <= made.adapted(history) <= 1 for history in histories)
    assert made.adapted([]) == 1
