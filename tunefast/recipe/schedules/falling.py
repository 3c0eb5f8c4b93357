"""Schedules that stay or fall, in ways that are planned beforehand."""

from __future__ import annotations

import bisect
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tunefast.recipe.schedules.part import Point, SchedulePart, Span, cosine

Milestones = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False)]


class Constant(SchedulePart):
    """The same learning rate from the first step to the last.

    Buys simplicity, and curves that can be compared at any epoch; costs the accuracy that annealing buys.
    """

    name: Literal["constant"] = "constant"
    annealed: ClassVar[bool] = False

    def at(self, step: int, span: Span) -> Point:  # noqa: ARG002 - as all schedules
        """Factor 1 at every step."""
        return Point(1.0, None)


class Step(SchedulePart):
    """A rate that falls by a factor every few epochs.

    Buys a large rate for as long as it helps, and sudden gains at each fall; costs a guess of when it stops helping,
    and hurts when training is shorter than planned. Source: He et al., "Deep residual learning for image recognition",
    CVPR 2016, section 4.2.
    """

    name: Literal["step"] = "step"
    annealed: ClassVar[bool] = True
    step_epochs: int = Field(30, ge=1)
    """Epochs between two falls, counted from the end of the warm-up."""
    gamma: float = Field(0.1, gt=0, le=1)
    """What each fall multiplies the rate with."""

    def at(self, step: int, span: Span) -> Point:
        """Equal to torch's ``StepLR``, stepped once an epoch."""
        return Point(self.gamma ** (step // span.steps_per_epoch // self.step_epochs), None)


class MultiStep(SchedulePart):
    """A rate that falls by a factor at given epochs.

    Buys and costs what `step` does, with falls that need not be equally far apart. Source: Zagoruyko and Komodakis,
    "Wide residual networks", BMVC 2016.
    """

    name: Literal["multi_step"] = "multi_step"
    annealed: ClassVar[bool] = True
    milestones: Milestones = (30, 60, 80)
    """Epochs after which the rate falls, counted from the end of the warm-up and rising."""
    gamma: float = Field(0.1, gt=0, le=1)
    """What each fall multiplies the rate with."""

    @model_validator(mode="after")
    def _milestones_rise(self) -> MultiStep:
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones = {list(self.milestones)} must rise, each greater than the one before")
        return self

    def at(self, step: int, span: Span) -> Point:
        """Equal to torch's ``MultiStepLR``, stepped once an epoch."""
        return Point(self.gamma ** bisect.bisect_right(self.milestones, step // span.steps_per_epoch), None)


class Exponential(SchedulePart):
    """A rate that falls by the same factor every epoch.

    Buys a decay that does not depend on the planned length, so that training can be cut off or go on; costs accuracy
    where it falls too early, since most of the training then has a small rate. Source: Bottou, "Stochastic gradient
    descent tricks", 2012, on rates that decay.
    """

    name: Literal["exponential"] = "exponential"
    annealed: ClassVar[bool] = True
    gamma: float = Field(0.95, gt=0, le=1)
    """What each epoch multiplies the rate with."""

    def at(self, step: int, span: Span) -> Point:
        """Equal to torch's ``ExponentialLR``, stepped once an epoch."""
        return Point(self.gamma ** (step // span.steps_per_epoch), None)


class Cosine(SchedulePart):
    """Half a cosine from the full rate down to `final_factor` of it.

    Buys accuracy at the end for nothing; hurts when training is cut off early, since the rate is still high then.
    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017.
    """

    name: Literal["cosine"] = "cosine"
    annealed: ClassVar[bool] = True
    final_factor: float = Field(0.0, ge=0, le=1)
    """Learning rate at the end, as a share of the full rate."""

    def at(self, step: int, span: Span) -> Point:
        """Equal to torch's ``CosineAnnealingLR`` with ``T_max = span.num_steps``."""
        return Point(cosine(1.0, self.final_factor, step / span.num_steps), None)
