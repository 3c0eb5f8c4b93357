"""Losses: what training makes small."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tunefast.recipe.losses.known import BinaryCrossEntropy, BinaryFocal, CrossEntropy, Focal, Huber, Mse
from tunefast.recipe.losses.own import OwnLoss
from tunefast.recipe.losses.part import LossPart

Loss = Annotated[
    CrossEntropy | BinaryCrossEntropy | Focal | BinaryFocal | Mse | Huber | OwnLoss, Field(discriminator="name")
]

__all__ = [
    "BinaryCrossEntropy",
    "BinaryFocal",
    "CrossEntropy",
    "Focal",
    "Huber",
    "Loss",
    "LossPart",
    "Mse",
    "OwnLoss",
]
