"""The recipe as a whole."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tunefast.recipe.data import Targets
from tunefast.recipe.own_training import ObjectiveRecipe
from tunefast.recipe.recipe import RECIPE, TrainingRecipe

DIGITS = {"data": {"name": "digits"}}


def _training(**settings: Any) -> TrainingRecipe:
    return TrainingRecipe.model_validate({**DIGITS, **settings})


def test_training_or_objective() -> None:
    """A recipe is for our training, unless it names an objective."""
    assert isinstance(RECIPE.validate_python(DIGITS), TrainingRecipe)
    recipe = RECIPE.validate_python({"objective": "my_package.train:run", "params": {"x": 1}})
    assert isinstance(recipe, ObjectiveRecipe)
    assert recipe.params == {"x": 1}


@pytest.mark.parametrize("table", [DIGITS, {"objective": "a:b", "epochs": 3}])
def test_round_trip(table: dict[str, Any]) -> None:
    """A recipe reads back from its own table, and passes for one itself."""
    recipe = RECIPE.validate_python(table)
    assert RECIPE.validate_python(recipe.table()) == recipe
    assert RECIPE.validate_json(recipe.model_dump_json()) == recipe
    assert RECIPE.validate_python(recipe) is recipe


@pytest.mark.parametrize("path", ["run", "a.b", "a:", ":b", "a:b.c", "a b:c", "1a:b"])
def test_objective_is_a_dotted_path(path: str) -> None:
    """An objective is a module and a function in it."""
    with pytest.raises(ValidationError):
        RECIPE.validate_python({"objective": path})


def test_data_is_needed() -> None:
    """Nothing is trained without data; all else has a default."""
    with pytest.raises(ValidationError, match="data"):
        RECIPE.validate_python({})


@pytest.mark.parametrize(
    "settings", [{"epochs": 0}, {"batch_size": 0}, {"accumulation_steps": 0}, {"precision": "fp8"}, {"batchsize": 3}]
)
def test_refused(settings: dict[str, Any]) -> None:
    """What cannot be trained is no recipe."""
    with pytest.raises(ValidationError):
        _training(**settings)


def test_monitor_is_reported() -> None:
    """Early stopping watches what the training reports."""
    with pytest.raises(
        ValidationError, match=r"early_stopping.monitor = 'val_f1' is not reported; known: loss, accuracy"
    ):
        _training(early_stopping={"monitor": "val_f1"})
    RECIPE.validate_python({"objective": "a:b", "early_stopping": {"monitor": "val_f1"}})


@pytest.mark.parametrize(
    ("settings", "reported"),
    [
        ({}, ("loss", "accuracy", "val_loss", "val_accuracy")),
        ({"metrics": ["f1", "accuracy"]}, ("loss", "accuracy", "val_loss", "val_accuracy", "val_f1")),
        ({"loss": {"name": "mse"}}, ("loss", "val_loss", "val_mae", "val_r2")),
        ({"loss": {"name": "huber"}, "metrics": ["rmse"]}, ("loss", "val_loss", "val_mae", "val_r2", "val_rmse")),
    ],
)
def test_reported_metrics(settings: dict[str, Any], reported: tuple[str, ...]) -> None:
    """What is reported goes by the loss, with what was asked for at its end, and each name once."""
    assert _training(**settings).reported_metrics == reported


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metrics": ["rmse"]}, "metrics: 'rmse' does not go with the loss 'cross_entropy'"),
        ({"metrics": ["f1"], "loss": {"name": "mse"}}, "metrics: 'f1' does not go with the loss 'mse'"),
        ({"schedule": {"name": "plateau", "monitor": "val_mae"}}, "schedule.monitor = 'val_mae' is not reported"),
        ({"preprocess": {"normalize": "weights"}}, "needs a model with pretrained weights"),
    ],
)
def test_parts_that_do_not_fit(settings: dict[str, Any], message: str) -> None:
    """Parts that cannot go together are refused before any data is read."""
    with pytest.raises(ValidationError, match=message):
        _training(**settings)


IMAGES, TABLE = (1, 8, 8), (20,)
CLASSES = Targets("classes", 10, (5,) * 10, 50)


@pytest.mark.parametrize(
    ("settings", "shape", "targets", "message"),
    [
        ({"loss": {"name": "mse"}}, TABLE, CLASSES, "loss 'mse' is for numbers"),
        ({"drop_last": True}, TABLE, CLASSES, "drop_last = true leaves none of the 50 training samples"),
        ({}, TABLE, Targets("numbers", 1, (), 50), "loss 'cross_entropy' is for classes"),
        (
            {"metrics": ["top3_accuracy"], "loss": {"name": "binary_cross_entropy"}},
            TABLE,
            Targets("labels", 3, (5, 5, 5), 50),
            "metrics: 'top3_accuracy' does not go with targets that are labels",
        ),
        ({"augment": {"flip": "random"}}, TABLE, CLASSES, "augment"),
        ({"preprocess": {"image_size": 12}}, TABLE, CLASSES, "preprocess.image_size"),
        ({"augment": {"crop_padding": 8}}, IMAGES, CLASSES, "augment.crop_padding = 8 must be less than 8"),
        ({"model": {"name": "small_cnn"}}, TABLE, CLASSES, "small_cnn needs images"),
        (
            {"model": {"name": "small_cnn", "depth": 4}, "preprocess": {"image_size": 8}},
            (1, 28, 28),
            CLASSES,
            "small_cnn of depth 4 needs at least 16 pixels a side; images are 8x8",
        ),
    ],
)
def test_data_that_does_not_fit(
    settings: dict[str, Any], shape: tuple[int, ...], targets: Targets, message: str
) -> None:
    """A part that cannot take the data is named before anything is built."""
    with pytest.raises(ValueError, match=message):
        _training(**settings).check(shape, targets, is_images=len(shape) == 3, num_train=50)


def test_input_shape() -> None:
    """The model sees images as they are scaled, and tables as they are."""
    scaled = _training(preprocess={"image_size": 12})
    assert scaled.input_shape((3, 28, 20)) == (3, 12, 12)
    assert scaled.input_shape((20,)) == (20,)
    assert _training().input_shape((3, 28, 20)) == (3, 28, 20)


def test_rate_follows_the_effective_batch() -> None:
    """Accumulated batches count together; without the table the rate stays."""
    scaling = {"rule": "linear", "base_batch_size": 256}
    assert _training(batch_size=128, accumulation_steps=4, lr_scaling=scaling).lr_factor == 2
    assert _training(batch_size=128, accumulation_steps=4).lr_factor == 1


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"transfer": {"freeze": "backbone"}}, True),
        ({"transfer": {"freeze": "blocks"}}, True),
        ({"transfer": {"freeze": "blocks", "train_blocks": 1}}, False),
        ({"transfer": {"freeze": "backbone", "unfreeze_epoch": 3}}, False),
        ({"transfer": {"freeze": "backbone"}, "augment": {"cutmix_alpha": 1.0}}, False),
        ({}, False),
    ],
)
def test_features_are_kept_only_where_they_stay_the_same(settings: dict[str, Any], kept: bool) -> None:
    """A backbone that changes, or images that do, have no features to keep."""
    assert _training(**settings).caches_features is kept


def test_one_sample_has_no_statistics() -> None:
    """Batches of one sample with batch norm are refused here and not by torch in the tenth trial."""
    with pytest.raises(ValidationError, match=r"batch_size = 1: model.batch_norm = true needs batches of at least 2"):
        _training(batch_size=1, model={"name": "mlp", "batch_norm": True})
    _training(batch_size=1, model={"name": "small_cnn"})


@pytest.mark.parametrize(
    ("schedule", "start"),
    [
        ({"name": "one_cycle"}, 6),
        ({"name": "one_cycle", "pct_start": 0.5}, 10),
        ({"name": "cosine"}, 0),
        ({"name": "constant"}, 0),
    ],
)
def test_patience_starts_after_the_peak(schedule: dict[str, Any], start: int) -> None:
    """By default no epoch is judged while the rate still climbs."""
    patience = _training(epochs=20, schedule=schedule, early_stopping={"patience": 3}).patience()
    assert patience is not None
    assert patience.start_from_epoch == start


def test_patience_as_set() -> None:
    """A start that the user set stays, even if it lies before the peak."""
    recipe = _training(schedule={"name": "one_cycle"}, early_stopping={"patience": 3, "start_from_epoch": 0})
    assert recipe.patience() == recipe.early_stopping


def test_no_patience() -> None:
    """Without the table no trial is stopped early."""
    assert _training(schedule={"name": "one_cycle"}).patience() is None
    assert ObjectiveRecipe(objective="a:b").patience() is None


def test_annealed() -> None:
    """Whether trials look worse on the way than at the end goes by the schedule."""
    assert _training(schedule={"name": "one_cycle"}).annealed
    assert not _training().annealed
    assert not ObjectiveRecipe(objective="a:b").annealed
