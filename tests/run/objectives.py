"""Objectives as users write them, well and badly."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from tunefast.recipe.own_training import ObjectiveRecipe
from tunefast.spec.progress import Verdict
from tunefast.train.objective import Context

Metrics = dict[str, Any]
LEFT: list[str] = []
"""What objectives noted when they left."""


def yields(recipe: ObjectiveRecipe, context: Context) -> Iterator[Metrics]:
    """Yields the metrics of every epoch."""
    try:
        for value in recipe.params["curve"]:
            yield {"score": value}
    finally:
        LEFT.append("closed")


def reports(recipe: ObjectiveRecipe, context: Context) -> None:
    """Calls `context.report` for every epoch, and leaves when it is told to."""
    for value in recipe.params["curve"]:
        if context.report({"score": value}) is not Verdict.CONTINUE:
            return


def returns(recipe: ObjectiveRecipe, context: Context) -> Metrics:
    """Returns the metrics of its one epoch, with what it was lent."""
    return {
        "score": recipe.params["curve"][-1],
        "trial": context.trial,
        "seed": context.seed,
        "threads": context.threads,
    }


def returns_nothing(recipe: ObjectiveRecipe, context: Context) -> None:
    """Reports nothing."""


def raises(recipe: ObjectiveRecipe, context: Context) -> Iterator[Metrics]:
    """Fails in its second epoch."""
    yield {"score": 0.5}
    raise ZeroDivisionError("in the second epoch")


def raises_os_error(recipe: ObjectiveRecipe, context: Context) -> None:
    """Cannot find its file, which has nothing to do with the coordinator."""
    context.report({"score": 0.5})
    raise ConnectionResetError("the data server is gone")


def swallows(recipe: ObjectiveRecipe, context: Context) -> None:
    """Takes its own OSErrors for granted."""
    for value in recipe.params["curve"]:
        try:
            context.report({"score": value})
        except OSError:
            continue


def says_no_number(recipe: ObjectiveRecipe, context: Context) -> Metrics:
    """Returns a word in place of a number."""
    return {"score": "good"}


def counts_threads(recipe: ObjectiveRecipe, context: Context) -> Metrics:
    """Returns the threads that numeric libraries would use."""
    return {"score": float(os.environ["OMP_NUM_THREADS"])}


NOT_CALLABLE = 3


def goes_on(recipe: ObjectiveRecipe, context: Context) -> Iterator[Metrics]:
    """Saves every epoch before it reports it, and goes on from there."""
    state = context.checkpoint.load() or {"epoch": 0}
    for epoch in range(state["epoch"] + 1, len(recipe.params["curve"]) + 1):
        context.checkpoint.save({"epoch": epoch})
        yield {"epoch": epoch, "score": recipe.params["curve"][epoch - 1]}
