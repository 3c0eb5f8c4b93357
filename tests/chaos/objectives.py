"""An objective that does what its trial's kind says, and goes on from its checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

from tunefast import Context
from tunefast.recipe.own_training import ObjectiveRecipe

EPOCHS = 6
PACE_SECONDS = 0.1
KINDS = ("ok", "raises", "nan", "oom")
HALFWAY = 3


def step(value: float, x: float) -> float:
    """An epoch of a training whose every bit depends on all epochs before."""
    return (3.7 * value * (1 - value) + x) % 1.0


def curve(x: float) -> dict[int, float]:
    """What a trial reports to which nothing happens, epoch -> value."""
    values, value = {}, 0.5
    for epoch in range(1, EPOCHS + 1):
        value = values[epoch] = step(value, x)
    return values


def run(recipe: ObjectiveRecipe, context: Context) -> Iterator[dict[str, float]]:
    """Train, and halfway do what the kind says."""
    kind, x = str(recipe.params["kind"]), float(recipe.params["x"]) / 10
    state = context.checkpoint.load() or {"epoch": 0, "value": 0.5}
    while state["epoch"] < EPOCHS:
        time.sleep(PACE_SECONDS)
        state = {"epoch": state["epoch"] + 1, "value": step(state["value"], x)}
        if state["epoch"] == HALFWAY:
            if kind == "raises":
                raise ValueError("as it was asked to")
            if kind == "oom":
                raise MemoryError
        context.checkpoint.save(state)
        bad = kind == "nan" and state["epoch"] == HALFWAY
        yield {"epoch": state["epoch"], "score": math.nan if bad else state["value"]}
