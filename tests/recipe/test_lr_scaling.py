"""The learning rate that follows the batch size."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tunefast.recipe.schedules import LrScaling


def test_lr_scaling() -> None:
    """The rate grows as the batch size or as its root, and is itself at the base."""
    linear, root = LrScaling(base_batch_size=128), LrScaling(rule="sqrt", base_batch_size=128)
    assert [linear.factor(size) for size in (32, 128, 512)] == [0.25, 1, 4]
    assert [root.factor(size) for size in (32, 128, 512)] == [0.5, 1, 2]
    assert (LrScaling().rule, LrScaling().factor(256)) == ("linear", 1)


@pytest.mark.parametrize("options", [{"rule": "cubic"}, {"base_batch_size": 0}, {"base_batch_size": 1.5}])
def test_refuses_bad_options(options: dict[str, object]) -> None:
    """A rule that is none, and a batch that is none, are refused."""
    with pytest.raises(ValidationError):
        LrScaling.model_validate(options)
