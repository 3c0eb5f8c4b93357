"""Preprocessing as settings."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tunefast.recipe.preprocess import Preprocess


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normalize": "fixed"}, 'normalize = "fixed" needs mean and std'),
        ({"normalize": "fixed", "mean": [0.5]}, 'normalize = "fixed" needs mean and std'),
        (
            {"normalize": "data", "mean": [0.5], "std": [0.5]},
            "mean and std go with normalize = \"fixed\", and it is 'data'",
        ),
        ({"std": [0.5]}, "mean and std go with normalize = \"fixed\", and it is 'auto'"),
        ({"normalize": "fixed", "mean": [0.5, 0.5], "std": [0.5]}, "mean has 2 values, std has 1"),
        ({"normalize": "fixed", "mean": [0.5], "std": [0.0]}, r"std = \[0.0\]: must be greater than 0"),
        ({"normalize": "range", "low": 1.0, "high": 1.0}, "low = 1 must be less than high = 1"),
        ({"normalize": "fixed", "mean": [], "std": []}, "at least 1"),
        ({"image_size": 0}, "greater than or equal to 1"),
        ({"normalize": "standard"}, "'auto', 'data', 'weights', 'range', 'fixed' or 'none'"),
    ],
)
def test_refused(options: dict[str, Any], message: str) -> None:
    """What makes no scale is refused, saying what is missing or too much."""
    with pytest.raises(ValidationError, match=message):
        Preprocess.model_validate(options)


def test_lists_are_taken() -> None:
    """A table in a spec has lists, and makes an equal part that can be a key."""
    table = {"normalize": "fixed", "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    made = Preprocess.model_validate(table)
    assert Preprocess.model_validate(made.table()) == made
    assert hash(made) == hash(Preprocess.model_validate_json(made.model_dump_json()))
    assert made.mean == (0.1, 0.2, 0.3)
