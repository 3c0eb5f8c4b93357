"""What `tunefast explain FILE` says of a recipe."""

from __future__ import annotations

from typing import Any

import pytest

from tunefast.errors import SpecError, UserError
from tunefast.run.describe import Description, describe
from tunefast.spec.load import parse_spec


def described(recipe: dict[str, Any], space: dict[str, Any] | None = None) -> Description:
    """The description of a study's recipe."""
    table = {"study": {"name": "s"}, "budget": {"trials": 1}, "recipe": recipe, "space": space or {}}
    return describe(parse_spec(table))


def test_layers_and_costs_are_those_of_the_model_over_its_data() -> None:
    """Digits through one hidden layer of 32: shapes, parameters and operations by hand."""
    found = described({"data": {"name": "digits"}, "model": {"name": "mlp", "width": 32, "depth": 1}})
    assert found.sample_shape == [1, 8, 8]
    assert found.outputs == 10
    assert (found.train_samples, found.validation_samples) == (1458, 160)
    assert found.steps_per_epoch == 12
    assert found.num_parameters == found.trainable_parameters == 64 * 32 + 32 + 32 * 10 + 10
    assert found.forward_flops == 2 * (64 * 32 + 32 * 10)
    dense = [layer for layer in found.layers if layer["parameters"]]
    assert [layer["output_shape"] for layer in dense] == [[32], [10]]
    assert sum(layer["parameters"] for layer in found.layers) == found.num_parameters


def test_a_frozen_backbone_is_said_and_computes_nothing() -> None:
    """What does not train is named, and that its features are kept; describing them computes none."""
    found = described(
        {
            "data": {"name": "digits"},
            "model": {"name": "small_cnn", "width": 4},
            "transfer": {"freeze": "backbone"},
        }
    )
    trains = {layer["name"].partition(".")[0]: layer["trains"] for layer in found.layers if layer["parameters"]}
    assert trains == {"backbone": False, "head": True}
    assert found.trainable_parameters == 8 * 10 + 10
    assert found.features.startswith("computed once")


def test_of_a_space_the_first_values_are_shown() -> None:
    """A study can be explained too: with the first value of each domain, which is told."""
    found = described({"data": {"name": "digits"}}, {"model.width": {"choices": [16, 64]}})
    assert found.params == {"model.width": 16}
    assert found.layers[1]["output_shape"] == [16]


def test_parts_that_do_not_fit_and_own_objectives_are_refused() -> None:
    """One message, not a traceback of torch."""
    with pytest.raises(SpecError, match="at least 16 pixels"):
        described({"data": {"name": "digits"}, "model": {"name": "small_cnn", "depth": 4}})
    with pytest.raises(UserError, match="no model to show"):
        described({"objective": "tests.integration.objectives:paced"})
