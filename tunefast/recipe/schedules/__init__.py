"""Schedules: the learning rate, and the momentum where it cycles, as a pure function of the optimizer step.

A schedule keeps no state, so resuming needs none, and trials with different schedules can share one training loop.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tunefast.recipe.schedules.cycling import Cyclic, OneCycle
from tunefast.recipe.schedules.falling import Constant, Cosine, Exponential, MultiStep, Step
from tunefast.recipe.schedules.part import Horizon, Point, SchedulePart, Span
from tunefast.recipe.schedules.plateau import Plateau
from tunefast.recipe.schedules.scaling import LrScaling

Schedule = Annotated[
    Constant | Step | MultiStep | Exponential | Cosine | OneCycle | Cyclic | Plateau, Field(discriminator="name")
]

__all__ = [
    "Constant",
    "Cosine",
    "Cyclic",
    "Exponential",
    "Horizon",
    "LrScaling",
    "MultiStep",
    "OneCycle",
    "Plateau",
    "Point",
    "Schedule",
    "SchedulePart",
    "Span",
    "Step",
]
