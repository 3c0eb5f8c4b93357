"""Objectives that go wrong in ways of their own."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any


def trained(recipe: Any, context: Any) -> Iterator[dict[str, float]]:
    """Does what its parameter says."""
    kind = recipe.params["kind"]
    print("this does not disturb the answers")  # noqa: T201
    if kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "leaves":
        os._exit(3)
    if kind == "raises":
        raise RuntimeError("there is no such loss")
    if kind == "large":
        raise MemoryError("could not allocate")
    for epoch in range(1, recipe.epochs + 1):
        if kind == "slow":
            time.sleep(60)
        yield {"val_accuracy": epoch / 10}


def suggested(trial: Any) -> float:
    """Suggests its own settings."""
    lr: float = trial.suggest_float("lr", 1e-3, 1.0, log=True)
    for step in range(5):
        trial.report(lr, step)
        if trial.should_prune():
            return lr
    return lr
