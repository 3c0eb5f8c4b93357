"""The recipe as a whole."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tunefast.recipe.recipe import RECIPE, ObjectiveRecipe, TrainingRecipe

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
