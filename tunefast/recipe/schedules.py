"""Schedules: the learning rate, and the momentum where it cycles, as a pure function of the optimizer step.

A schedule keeps no state, so resuming needs none, and trials with different schedules can share one training loop.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field, model_validator

from tunefast.recipe.part import Part


class Point(NamedTuple):
    """Where a schedule stands at one step."""

    factor: float
    """What the optimizer's learning rate is multiplied with."""
    momentum: float | None
    """The momentum (Adam: the first beta) to use, or None to leave the optimizer's own."""


class SchedulePart(Part):
    """What rules for stopping need to know of a schedule."""

    annealed: ClassVar[bool]
    """Whether the rate ends low, so that a trial looks worse on the way than it will at the end."""

    @property
    def peak(self) -> float:
        """Share of the schedule after which the learning rate only falls, in [0, 1]."""
        return 0.0

    def at(self, step: int, num_steps: int) -> Point:
        """Where the schedule stands at `step`, counted from 0, of `num_steps` optimizer steps."""
        raise NotImplementedError


class Constant(SchedulePart):
    """The same learning rate from the first step to the last.

    Buys simplicity, and curves that can be compared at any epoch; costs the accuracy that annealing buys.
    """

    name: Literal["constant"] = "constant"
    annealed: ClassVar[bool] = False

    def at(self, step: int, num_steps: int) -> Point:  # noqa: ARG002 - as all schedules
        """Factor 1 at every step."""
        return Point(1.0, None)


class Cosine(SchedulePart):
    """Half a cosine from the full rate down to `final_factor` of it.

    Buys accuracy at the end for nothing; hurts when training is cut off early, since the rate is still high then.
    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017.
    """

    name: Literal["cosine"] = "cosine"
    annealed: ClassVar[bool] = True
    final_factor: float = Field(0.0, ge=0, le=1)
    """Learning rate at the end, as a share of the full rate."""

    def at(self, step: int, num_steps: int) -> Point:
        """Equal to torch's ``CosineAnnealingLR`` with ``T_max = num_steps``."""
        return Point(_cosine(1.0, self.final_factor, step / num_steps), None)


class OneCycle(SchedulePart):
    """One climb to the full rate and one long descent to almost nothing, with momentum going the other way.

    Buys high accuracy in few epochs through a large rate in the middle; costs looking bad until the descent, so rules
    that stop trials have to wait for it. The optimizer's learning rate is the peak.
    Source: Smith and Topin, "Super-convergence: very fast training of neural networks using large learning rates",
    2018.
    """

    name: Literal["one_cycle"] = "one_cycle"
    annealed: ClassVar[bool] = True
    pct_start: float = Field(0.3, gt=0, lt=1)
    """Share of the steps that climb."""
    div_factor: float = Field(25.0, ge=1)
    """The first rate is the peak divided by this."""
    final_div_factor: float = Field(1e4, ge=1)
    """The last rate is the first rate divided by this."""
    cycle_momentum: bool = True
    """Whether momentum (Adam: the first beta) falls while the rate climbs."""
    base_momentum: float = Field(0.85, ge=0, lt=1)
    """Momentum at the peak of the rate."""
    max_momentum: float = Field(0.95, ge=0, lt=1)
    """Momentum at both ends."""

    @model_validator(mode="after")
    def _momenta_in_order(self) -> OneCycle:
        if self.base_momentum > self.max_momentum:
            raise ValueError(f"base_momentum = {self.base_momentum} must not exceed max_momentum = {self.max_momentum}")
        return self

    @property
    def peak(self) -> float:
        """The end of the climb."""
        return self.pct_start

    def at(self, step: int, num_steps: int) -> Point:
        """Equal to torch's ``OneCycleLR`` with ``total_steps = num_steps`` and cosine annealing.

        Where the climb is a single step, torch divides by zero; here that step has the full rate.
        """
        first = 1 / self.div_factor
        last = first / self.final_div_factor
        top = self.pct_start * num_steps - 1
        if step <= top:
            share = step / top if top > 0 else 1.0
            return self._point(_cosine(first, 1.0, share), _cosine(self.max_momentum, self.base_momentum, share))
        share = (step - top) / (num_steps - 1 - top)
        return self._point(_cosine(1.0, last, share), _cosine(self.base_momentum, self.max_momentum, share))

    def _point(self, factor: float, momentum: float) -> Point:
        return Point(factor, momentum if self.cycle_momentum else None)


def _cosine(start: float, end: float, share: float) -> float:
    """Half a cosine from `start` at share 0 to `end` at share 1."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


Schedule = Annotated[Constant | Cosine | OneCycle, Field(discriminator="name")]
