"""Pruning by a fixed range."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from tunefast.recipe.recipe import RECIPE
from tunefast.search.pruning import Standing, pruning_rule, warmup_epochs
from tunefast.spec.pruners import ThresholdPruner


@pytest.mark.parametrize(
    ("value", "stopped"), [(0.2, False), (0.1, False), (0.09, True), (0.9, False), (0.91, True), (math.nan, True)]
)
def test_the_range(value: float, *, stopped: bool) -> None:
    """A trial that leaves the range is stopped at once, after the warm-up; its edges are inside."""
    settings = ThresholdPruner(lower=0.1, upper=0.9, warmup_epochs=2)
    rule = pruning_rule(settings, maximize=True)
    warmup = warmup_epochs(settings, RECIPE.validate_python({"objective": "a:b"}))
    assert not rule.judge(Standing(0, 2, value, value, None, warmup)).prune
    assert rule.judge(Standing(0, 3, value, 0.5, None, warmup)).prune is stopped


@pytest.mark.parametrize("lower", [1.0, 2.0])
def test_a_range_that_is_none(lower: float) -> None:
    """The lower bound is less than the upper one."""
    with pytest.raises(ValidationError, match="has to be less"):
        ThresholdPruner(lower=lower, upper=1.0)
