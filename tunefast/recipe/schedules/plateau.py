"""The schedule that looks at how training goes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from tunefast.recipe.schedules.part import Point, SchedulePart, Span
from tunefast.recipe.stopping import metric_direction


class Plateau(SchedulePart):
    """A rate that falls whenever a metric has stopped improving for some epochs.

    Buys a decay that comes when it is due, for trainings whose length or pace is unknown; costs the epochs of patience
    before each fall, and a metric to watch; hurts when that is so noisy that chance counts as improvement.
    Source: He et al., "Deep residual learning for image recognition", CVPR 2016, section 3.4; torch's
    ``ReduceLROnPlateau``.
    """

    name: Literal["plateau"] = "plateau"
    annealed: ClassVar[bool] = False
    monitor: str = "val_loss"
    """The metric of the epoch reports to watch."""
    mode: Literal["auto", "min", "max"] = "auto"
    """Whether smaller or greater is better; auto goes by the metric's name."""
    factor: float = Field(0.1, gt=0, lt=1)
    """What each fall multiplies the rate with."""
    patience: int = Field(10, ge=0)
    """Epochs without improvement that are let pass; the next one makes the rate fall."""
    threshold: float = Field(1e-4, ge=0, lt=1)
    """Smallest change that counts as an improvement."""
    threshold_mode: Literal["rel", "abs"] = "rel"
    """Whether the threshold is a share of the best value or an amount."""
    cooldown: int = Field(0, ge=0)
    """Epochs after a fall that are not counted as ones without improvement."""
    min_factor: float = Field(0.0, ge=0, le=1)
    """The lowest rate, as a share of the full rate."""

    def at(self, step: int, span: Span) -> Point:  # noqa: ARG002 - as all schedules
        """Factor 1 at every step; `adapted` does the rest."""
        return Point(1.0, None)

    def adapted(self, history: Sequence[float]) -> float:
        """The share of the rate that is left after epochs whose monitored values were `history`, the first one first.

        Equal to torch's ``ReduceLROnPlateau`` with ``eps = 0``, stepped with each value. Epochs with a warm-up in them
        are not judged. It keeps no state: it replays the history, so that a resumed trial needs nothing but that.
        """
        factor, best, num_bad, cooling = 1.0, self._worst, 0, 0
        for value in history[math.ceil(self.warmup_epochs) :]:
            if self._improves(value, best):
                best, num_bad = value, 0
            else:
                num_bad += 1
            if cooling > 0:
                cooling, num_bad = cooling - 1, 0
            if num_bad > self.patience:
                factor = max(factor * self.factor, self.min_factor)
                cooling, num_bad = self.cooldown, 0
        return factor

    @property
    def _greater_is_better(self) -> bool:
        if self.mode == "auto":
            return metric_direction(self.monitor) == "maximize"
        return self.mode == "max"

    @property
    def _worst(self) -> float:
        return -math.inf if self._greater_is_better else math.inf

    def _improves(self, value: float, best: float) -> bool:
        """Torch's rule to the letter, by which a relative threshold makes a negative best value easier to improve."""
        sign = 1 if self._greater_is_better else -1
        bound = best * (1 + sign * self.threshold) if self.threshold_mode == "rel" else best + sign * self.threshold
        return value > bound if self._greater_is_better else value < bound
