"""Models: what is trained."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tunefast.recipe.models.base import ModelPart
from tunefast.recipe.models.own import OwnModel
from tunefast.recipe.models.pretrained import Head, PretrainedPart, Timm, Torchvision
from tunefast.recipe.models.small import Mlp, ResNet9, SmallCnn

Model = Annotated[Mlp | SmallCnn | ResNet9 | Torchvision | Timm | OwnModel, Field(discriminator="name")]

__all__ = [
    "Head",
    "Mlp",
    "Model",
    "ModelPart",
    "OwnModel",
    "PretrainedPart",
    "ResNet9",
    "SmallCnn",
    "Timm",
    "Torchvision",
]
