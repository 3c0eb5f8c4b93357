"""Which remedies apply to a recipe, and what they make of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tunefast.doctor.examine import together
from tunefast.doctor.remedies import OTHER, ROUNDED, SAME, Remedy, remedies
from tunefast.doctor.trying import Aim, Failed, Gain, try_remedy
from tunefast.recipe.recipe import TrainingRecipe

CPU = torch.device("cpu")


def recipe(**changes: Any) -> TrainingRecipe:
    """A perceptron on the digits."""
    return TrainingRecipe.model_validate({"data": {"name": "digits"}, "model": {"name": "mlp", "width": 8}, **changes})


def names(of: TrainingRecipe, *, images: bool = True, num_train: int = 10_000) -> list[str]:
    """The remedies that apply."""
    return [remedy.name for remedy in remedies(of, CPU, images=images, num_train=num_train)]


def test_what_is_done_already_is_no_remedy() -> None:
    """A recipe that has every option on is left with larger batches, and with none where there are no more samples."""
    best = recipe(precision="auto", hardware={"compile": "on"}, batch_size=32)
    assert names(best) == ["batches of 64", "batches of 128"]
    assert names(best, num_train=64) == ["batches of 64"]
    assert names(best, num_train=63) == []


def test_each_option_that_is_off() -> None:
    """Every speed option that a recipe leaves off is a remedy, those that change nothing first."""
    slow = recipe(
        precision="fp32",
        hardware={"channels_last": False, "loading": "loader", "compile": "off"},
        batch_size=32,
        accumulation_steps=4,
    )
    found = remedies(slow, CPU, images=True, num_train=10_000)
    results = [remedy.result for remedy in found]
    assert results == sorted(results, key=(SAME, ROUNDED, OTHER).index)
    assert {"samples in memory", "channels innermost", "compile the model", "no accumulation: batches of 128"} <= {
        remedy.name for remedy in found
    }
    assert "channels innermost" not in names(slow, images=False)
    for remedy in found:
        assert remedy.applied(slow) != slow


def test_the_better_of_two_counts() -> None:
    """Of remedies that change one setting the one that gains more is taken."""
    gains = [
        Gain(Remedy("a", {"batch_size": 64, "precision": "auto"}, ROUNDED), 2.0, 1.9, 2.1, 0.0, None),
        Gain(Remedy("b", {"batch_size": 32}, SAME), 1.5, 1.4, 1.6, 0.0, None),
    ]
    assert dict(together(gains).changes) == {"batch_size": 64, "precision": "auto"}
    assert together(gains).result == ROUNDED


def test_a_remedy_is_measured_both_ways() -> None:
    """What makes a training surely slower is found to, with an interval around it, and what it does to the metric."""
    slower = Remedy("many small batches", {"batch_size": 1}, OTHER)
    gain = try_remedy(recipe(batch_size=128), slower, 0, CPU, 3.0, Aim("val_accuracy", maximize=True))
    assert isinstance(gain, Gain)
    assert gain.low <= gain.ratio <= gain.high
    assert gain.high < 1.0
    assert not gain.is_certain
    assert gain.metric_change is not None


def test_what_cannot_be_tried() -> None:
    """A change that the recipe cannot take is told, and stops nothing."""
    wrong = Remedy("nonsense", {"batch_size": 0}, SAME)
    failed = try_remedy(recipe(), wrong, 0, CPU, 1.0, Aim("val_accuracy", maximize=True))
    assert isinstance(failed, Failed)
    assert failed.why


@pytest.mark.parametrize("maximize", [True, False])
def test_a_better_metric_is_positive(maximize: bool) -> None:
    """Whether more or less of the metric is better is taken into account; an unknown one is no change."""
    same = Remedy("nothing", {"batch_size": 128}, SAME)
    aim = Aim("val_accuracy" if maximize else "val_loss", maximize=maximize)
    gain = try_remedy(recipe(batch_size=128), same, 0, CPU, 1.0, aim)
    assert isinstance(gain, Gain)
    assert gain.metric_change == 0.0
    unknown = try_remedy(recipe(batch_size=128), same, 0, CPU, 1.0, Aim("val_f1", maximize=True))
    assert isinstance(unknown, Gain)
    assert unknown.metric_change is None
