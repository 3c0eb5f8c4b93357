"""A trial between being handed out and its end."""

from __future__ import annotations

import math

from tunefast.recipe.recipe import RECIPE
from tunefast.search.running import Running


def test_how_far_and_how_good() -> None:
    """It is as far as its last epoch, and as good as its best one; NaN is never good."""
    running = Running(0, 1, RECIPE.validate_python({"objective": "a:b"}), 3)
    assert running.epochs == 0
    assert math.isnan(running.best(maximize=True))
    running.values.update({1: math.nan})
    assert math.isnan(running.best(maximize=False))
    running.values.update({3: 0.25, 2: 0.75, 4: math.nan})
    assert running.epochs == 4
    assert (running.best(maximize=True), running.best(maximize=False)) == (0.75, 0.25)
