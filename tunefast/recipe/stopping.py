"""Early stopping: a pure rule over one trial's own curve, with Keras's meaning.

It ends a trial that stopped improving, as complete. Stopping a trial because others are better is pruning, and lives in
`tunefast.search.pruning`.
"""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator

from tunefast.recipe.part import Part

_SHARES = ("accuracy", "acc", "auc", "f1", "precision", "recall")
"""Ends of the names of metrics between 0 and 1."""
_GREATER_IS_BETTER = (*_SHARES, "r2", "score")


def metric_direction(metric: str) -> Literal["maximize", "minimize"] | None:
    """The direction in which a metric's name says that it gets better, or None where the name does not say."""
    if metric.endswith(_GREATER_IS_BETTER):
        return "maximize"
    if metric.endswith(("loss", "error", "seconds", "mae", "mse", "_to_target")):
        return "minimize"
    return None


def metric_range(metric: str) -> tuple[float, float] | None:
    """The least and the greatest value that a metric can have as its name says, or None where the name does not say."""
    return (0.0, 1.0) if metric.endswith(_SHARES) else None


class Patience(Part):
    """Settings of early stopping.

    Buys the epochs that a finished trial would have wasted; hurts when patience is shorter than a plateau, or when it
    judges an annealed schedule before its peak. Source: Prechelt, "Early stopping - but when?", 1998.
    """

    monitor: str = "val_loss"
    """The metric of the epoch reports to watch."""
    patience: int = Field(5, ge=0)
    """Epochs without improvement after which training stops."""
    min_delta: float = Field(0.0, ge=0)
    """Smallest change that counts as an improvement."""
    mode: Literal["auto", "min", "max"] = "auto"
    """Whether smaller or greater is better; auto goes by the metric's name, and is refused where that does not say."""
    baseline: float | None = None
    """A value to beat; epochs that improve but do not beat it count against the patience."""
    start_from_epoch: int | None = Field(None, ge=0)
    """Epochs at the start that are not judged; by default those up to the peak of the schedule."""
    restore_best_weights: bool = True
    """Keep the weights of the best epoch, and report its metrics, rather than those of the last."""

    def check_direction(self) -> None:
        """Raise `ValueError` where neither the mode nor the metric's name says which way is better.

        Left to whoever knows what is reported: a mistyped name needs no mode.
        """
        if self.mode == "auto" and metric_direction(self.monitor) is None:
            raise ValueError(
                f'mode = "auto": the name {self.monitor!r} does not say which way is better; set mode = "min" or "max"'
            )


class _CheckedPatience(Patience):
    model_config = ConfigDict(title="Patience")  # what mistakes are told of

    @model_validator(mode="after")
    def _direction_known(self) -> _CheckedPatience:
        self.check_direction()
        return self


class EarlyStopping:
    """The rule itself, usable in any training loop: ``EarlyStopping(monitor="val_loss", patience=3)``.

    Takes the settings of `Patience` by keyword; raises ``pydantic.ValidationError`` for ones that are not valid. Stops
    and keeps what ``keras.callbacks.EarlyStopping`` does, with epochs counted from 1. It differs where a trial begins
    with NaN: Keras takes that for the best value, for good; here any number is better.
    """

    def __init__(self, **settings: Any) -> None:
        self.settings = Patience(**dict(_CheckedPatience(**settings)))
        self.best: float | None = None
        self.best_epoch = 0
        self._waited = 0
        mode = self.settings.mode
        by_name = metric_direction(self.settings.monitor) == "maximize"
        self._greater_is_better = by_name if mode == "auto" else mode == "max"

    def update(self, epoch: int, value: float) -> bool:
        """Take in the monitored `value` of `epoch`, counted from 1; returns whether to stop now."""
        settings = self.settings
        if epoch <= (settings.start_from_epoch or 0):
            return False
        if self.best_epoch == 0:
            self.best_epoch = epoch
        self._waited += 1
        if self._improves(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self._improves(value, settings.baseline):
                self._waited = 0
            return False
        return self._waited >= settings.patience and epoch > 1

    def _improves(self, value: float, reference: float | None) -> bool:
        if reference is None or math.isnan(value):
            return not math.isnan(value)
        if self._greater_is_better:
            return value - self.settings.min_delta > reference
        return value + self.settings.min_delta < reference
