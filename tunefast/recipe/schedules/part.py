"""What all schedules share: the lengths they are stretched over, where they stand, and the warm-up in front of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, NamedTuple, final

from pydantic import Field

from tunefast.recipe.part import Part


class Point(NamedTuple):
    """Where a schedule stands at one step."""

    factor: float
    """What the optimizer's learning rate is multiplied with."""
    momentum: float | None
    """The momentum (Adam: the first beta) to use, or None to leave the optimizer's own."""


class Horizon(NamedTuple):
    """How long a training is planned to be."""

    epochs: int
    """Epochs, at least 1."""
    steps_per_epoch: int
    """Optimizer steps in each epoch, at least 1."""

    @property
    def num_steps(self) -> int:
        """Optimizer steps in all."""
        return self.epochs * self.steps_per_epoch


class Span(NamedTuple):
    """The part of a training that comes after the warm-up."""

    num_steps: int
    """Optimizer steps in all, at least 1; no multiple of an epoch's where the warm-up ended inside an epoch."""
    steps_per_epoch: int
    """Optimizer steps in an epoch, at least 1."""


class SchedulePart(Part):
    """Options that all schedules share."""

    warmup_epochs: float = Field(0.0, ge=0)
    """Epochs, whole or not, in which the rate climbs before the schedule proper; large batches and Adam gain by it."""
    warmup_factor: float = Field(0.01, gt=0, le=1)
    """The first rate of the warm-up, as a share of the rate it leads to."""

    annealed: ClassVar[bool]
    """Whether the rate ends low, so that a trial looks worse on the way than it will at the end."""

    @final
    def point(self, step: int, horizon: Horizon) -> Point:
        """Where the schedule stands at optimizer step `step`, counted from 0, of a training of `horizon`.

        The warm-up climbs in a straight line, as torch's ``LinearLR`` does, to where the schedule proper begins; that
        is stretched over the steps which are left. A warm-up longer than the training is cut off where that ends.
        Source: Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017.
        """
        warmup_steps = round(self.warmup_epochs * horizon.steps_per_epoch)
        if step >= warmup_steps:
            return self.at(step - warmup_steps, Span(horizon.num_steps - warmup_steps, horizon.steps_per_epoch))
        first = self.start()
        share = self.warmup_factor + (1 - self.warmup_factor) * step / warmup_steps
        return Point(first.factor * share, first.momentum)

    @final
    def peak_epoch(self, epochs: int) -> float:
        """Epochs, of `epochs` planned, until the rate has first been at its top: to judge a trial earlier is too soon.

        From there on the rate of every schedule but `cyclic` only falls. In [0, epochs].
        """
        warmup_epochs = min(self.warmup_epochs, epochs)
        return min(warmup_epochs + self.climb_epochs(epochs - warmup_epochs), epochs)

    def start(self) -> Point:
        """Where the schedule proper begins, which is what the warm-up leads to."""
        return Point(1.0, None)

    def climb_epochs(self, epochs: float) -> float:  # noqa: ARG002 - for schedules that climb
        """Epochs, of `epochs` after the warm-up, until the rate has first been at its top."""
        return 0.0

    def at(self, step: int, span: Span) -> Point:
        """Where the schedule proper stands at `step` of `span`, both counted from the end of the warm-up."""
        raise NotImplementedError

    def adapted(self, history: Sequence[float]) -> float:  # noqa: ARG002 - for schedules that look back
        """What to multiply the factor with after epochs whose monitored values were `history`, in [0, 1]."""
        return 1.0


def cosine(start: float, end: float, share: float) -> float:
    """Half a cosine from `start` at share 0 to `end` at share 1."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def linear(start: float, end: float, share: float) -> float:
    """A straight line from `start` at share 0 to `end` at share 1."""
    return start + (end - start) * share
