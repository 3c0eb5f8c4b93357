"""Objectives that train nothing, for tests of what goes on around training."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tunefast.recipe.own_training import ObjectiveRecipe
from tunefast.spec.progress import Verdict
from tunefast.train.objective import Context


def paced(recipe: ObjectiveRecipe, context: Context) -> Iterator[dict[str, float]]:
    """Report `x`, growing, every `pause` seconds."""
    for epoch in range(1, recipe.epochs + 1):
        time.sleep(float(recipe.params.get("pause", 0.0)))
        yield {"val_accuracy": float(recipe.params["x"]) * epoch / recipe.epochs}


def reporting(recipe: ObjectiveRecipe, context: Context) -> None:
    """The same, in a loop of its own that reports."""
    for epoch in range(1, recipe.epochs + 1):
        if context.report({"val_accuracy": float(recipe.params["x"]) * epoch}) is not Verdict.CONTINUE:
            return


def broken(recipe: ObjectiveRecipe, context: Context) -> None:
    """Fail in the same way, whatever the recipe."""
    raise RuntimeError("the data loader has no legs")


def fragile(recipe: ObjectiveRecipe, context: Context) -> Iterator[dict[str, float]]:
    """Fail for the greater half of `x`."""
    if recipe.params["x"] > 0.5:
        raise ValueError(f"x = {recipe.params['x']:.3f} is too much")
    yield {"val_accuracy": float(recipe.params["x"])}


def quitting(recipe: ObjectiveRecipe, context: Context) -> None:
    """Leave the process as a script does that thinks it is done."""
    sys.exit(0)


def deadly(recipe: ObjectiveRecipe, context: Context) -> Iterator[dict[str, float]]:
    """End the process at the first try at each trial, in the middle of it."""
    yield {"val_accuracy": 0.5}
    marker = Path(f"tried-{context.trial}")
    if not marker.exists():
        marker.touch()
        os._exit(9)
    yield {"val_accuracy": 0.6}
