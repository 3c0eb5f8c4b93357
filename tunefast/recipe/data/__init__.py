"""Data sets: where samples come from, and how they are split.

A data part decodes its source into arrays once; `tunefast.train.cache` keeps them, `tunefast.train.splits` makes the
split, and `tunefast.train.datasets` puts them on a device.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tunefast.recipe.data.arrays import Npz
from tunefast.recipe.data.cifar import Cifar10, Cifar100
from tunefast.recipe.data.embedded import Digits, Sklearn, Synthetic
from tunefast.recipe.data.folder import ImageFolder
from tunefast.recipe.data.idx import FashionMnist, Mnist
from tunefast.recipe.data.own import TorchDataset
from tunefast.recipe.data.part import (
    DATA_VARIABLE,
    IMAGE_AXES,
    SPLIT_OPTIONS,
    DataPart,
    Decoded,
    NumbersPart,
    RootedPart,
    TargetKind,
    Targets,
    are_classes,
)

__all__ = [
    "DATA_VARIABLE",
    "IMAGE_AXES",
    "SPLIT_OPTIONS",
    "Cifar10",
    "Cifar100",
    "Data",
    "DataPart",
    "Decoded",
    "Digits",
    "FashionMnist",
    "ImageFolder",
    "Mnist",
    "Npz",
    "NumbersPart",
    "RootedPart",
    "Sklearn",
    "Synthetic",
    "TargetKind",
    "Targets",
    "TorchDataset",
    "are_classes",
]

Data = Annotated[
    Digits | Mnist | FashionMnist | Cifar10 | Cifar100 | ImageFolder | Npz | TorchDataset | Sklearn | Synthetic,
    Field(discriminator="name"),
]
