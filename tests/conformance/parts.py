"""All parts of every kind, taken from the unions that are their registries."""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Any

from tests.files import write_images, write_mnist
from tunefast.recipe.data import Data, DataPart, ImageFolder, Mnist
from tunefast.recipe.models import Model
from tunefast.recipe.optimizers import Optimizer
from tunefast.recipe.part import Part
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.recipe.schedules import Schedule
from tunefast.spec.study import Pruner, Sampler

UNIONS: dict[str, Any] = {
    "data": Data,
    "model": Model,
    "optimizer": Optimizer,
    "schedule": Schedule,
    "sampler": Sampler,
    "pruner": Pruner,
}


def parts_of(kind: str) -> list[type[Any]]:
    """The classes of the parts of a kind."""
    union = typing.get_args(UNIONS[kind])[0]
    return list(typing.get_args(union))


ALL_PARTS: list[tuple[str, type[Part]]] = [(kind, part) for kind in UNIONS for part in parts_of(kind)]


def with_files(part: DataPart, root: Path) -> DataPart:
    """The data part itself, or pointed at a small set of its kind, written under `root`."""
    if isinstance(part, Mnist):
        write_mnist(root)
    elif isinstance(part, ImageFolder):
        write_images(root, per_class=20, size=16)
    else:
        return part
    return part.model_copy(update={"root": str(root), "validation": 0.2})


def recipe(**settings: Any) -> TrainingRecipe:
    """A recipe over digits with a part or two replaced, each given as a part."""
    tables = {key: value.table() if isinstance(value, Part) else value for key, value in settings.items()}
    return TrainingRecipe.model_validate({"data": {"name": "digits"}, "batch_size": 512, "epochs": 1, **tables})
