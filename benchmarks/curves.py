"""Recorded learning curves: tables of recipes that were trained to the end once, to be replayed at no cost."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 0.005
"""A result this near to another, as a share of it, is as good."""


class Task(NamedTuple):
    """One problem, and what became of each of its recipes."""

    name: str
    metric: str
    maximize: bool
    annealed: bool
    """Whether the learning rate falls to nothing."""
    curves: NDArray[np.float64]
    """[recipes, epochs]: the metric after each epoch, NaN from where a training diverged."""
    settings: NDArray[np.float64]
    """[recipes, settings], each scaled to 0..1."""

    @property
    def best(self) -> NDArray[np.float64]:
        """[recipes]: the best value of each curve; the worst possible where it has none."""
        sign = 1 if self.maximize else -1
        best: NDArray[np.float64] = np.where(np.isfinite(self.curves), sign * self.curves, -np.inf).max(axis=1)
        return sign * best

    def goal(self, recipes: NDArray[np.int64]) -> float:
        """What is as good as the best of these recipes."""
        values = self.best[recipes]
        return float(values.max() * (1 - TOLERANCE) if self.maximize else values.min() * (1 + TOLERANCE))


def load(folder: Path) -> list[Task]:
    """The tasks in a folder: of LCBench by accuracy and by loss, of TaskSet by loss, of ours by both."""
    tasks = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as arrays:
            settings = _scaled(arrays["hyperparameters"].astype(float), list(arrays["names"]))
            for key in ("val_accuracy", "val_loss", "valid"):
                if key in arrays:
                    curves = arrays[key].astype(float)
                    trained = curves if "from_first_epoch" in arrays else curves[:, 1:]  # else 0 is before training
                    annealed = bool(arrays["annealed"]) if "annealed" in arrays else key != "valid"  # LCBench: cosine
                    tasks.append(Task(path.stem, key, key == "val_accuracy", annealed, trained, settings))
    return tasks


def _scaled(settings: NDArray[np.float64], names: list[str]) -> NDArray[np.float64]:
    """Each to 0..1, those that span decades by their logarithm."""
    columns = []
    for index, _ in enumerate(names):
        column = settings[:, index]
        if column.min() > 0 and column.max() / column.min() > 50:  # noqa: PLR2004  of a setting that is searched by decades
            column = np.log(column)
        span = column.max() - column.min()
        columns.append((column - column.min()) / span if span else np.zeros_like(column))
    return np.stack(columns, axis=1)
