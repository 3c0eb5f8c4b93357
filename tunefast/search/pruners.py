"""Pruning: whether a trial is worse than others were at the same epoch. Pure rules, kept up to date as trials end."""

from __future__ import annotations

import math
from bisect import insort
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from tunefast.recipe.base import RecipePart
from tunefast.spec.study import MedianPruner, Pruner

WARMUP_EPOCHS = 3
WARMUP_SHARE = 0.3
"""Of an annealed schedule: before that, a large learning rate looks bad however good it will end."""


class Decision(NamedTuple):
    """What a rule says, and the numbers it says it by."""

    prune: bool
    threshold: float | None = None
    num_curves: int = 0


class PruningRule(Protocol):
    """What the search asks of a rule."""

    def judge(self, epoch: int, best: float, warmup_epochs: int) -> Decision:
        """Whether to stop a trial whose best value up to `epoch` is `best`."""
        ...

    def complete(self, values: Mapping[int, float]) -> None:
        """Take in the whole curve, epoch -> value, of a trial that completed."""
        ...


class NeverPrune:
    """The rule that lets every trial run."""

    def judge(self, epoch: int, best: float, warmup_epochs: int) -> Decision:  # noqa: ARG002  the protocol's
        """Never stop."""
        return Decision(prune=False)

    def complete(self, values: Mapping[int, float]) -> None:
        """Nothing to remember."""


class MedianRule:
    """Decides what Optuna's `MedianPruner` would decide, without reading the study again.

    For every epoch the values of the completed trials are kept sorted: a report costs one look-up, an ended trial one
    insertion per epoch. Optuna's ``n_warmup_steps`` is ``warmup_epochs + 1`` here, since epochs count from 1.
    """

    def __init__(self, startup_trials: int, *, maximize: bool) -> None:
        self._startup_trials = startup_trials
        self._maximize = maximize
        self._num_complete = 0
        self._values: dict[int, list[float]] = defaultdict(list)

    def complete(self, values: Mapping[int, float]) -> None:
        """Take in the whole curve of a trial that completed."""
        self._num_complete += 1
        for epoch, value in values.items():
            if not math.isnan(value):
                insort(self._values[epoch], value)

    def judge(self, epoch: int, best: float, warmup_epochs: int) -> Decision:
        """Stop a trial whose `best` is worse than the median at `epoch`; one that has only NaN is stopped too."""
        values = self._values.get(epoch, [])
        if self._num_complete < self._startup_trials or epoch <= warmup_epochs:
            return Decision(prune=False, num_curves=len(values))
        if math.isnan(best) or not values:
            return Decision(prune=math.isnan(best), num_curves=len(values))
        median = _median(values)
        worse = best < median if self._maximize else best > median
        return Decision(worse, median, len(values))


def pruning_rule(settings: Pruner, *, maximize: bool) -> PruningRule:
    """The rule that the spec asks for."""
    if isinstance(settings, MedianPruner):
        return MedianRule(settings.startup_trials, maximize=maximize)
    return NeverPrune()


def warmup_epochs(settings: Pruner, recipe: RecipePart) -> int:
    """Epochs of `recipe` before it is judged."""
    if isinstance(settings, MedianPruner) and settings.warmup_epochs is not None:
        return settings.warmup_epochs
    return max(WARMUP_EPOCHS, math.ceil(WARMUP_SHARE * recipe.epochs)) if recipe.annealed else WARMUP_EPOCHS


def _median(ordered: list[float]) -> float:
    """The median as NumPy's percentile computes it, to the last bit."""
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    low, high = ordered[middle - 1], ordered[middle]
    return high - (high - low) * 0.5
