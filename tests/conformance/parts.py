"""All parts of every kind, taken from the unions that are their registries, and the tables of a recipe beside them."""

from __future__ import annotations

import importlib.util
import typing
from pathlib import Path
from typing import Any

import pytest
from torchvision import datasets as torchvision_sets

from tests.conftest import REPOSITORY
from tests.files import trust_cifar, write_cifar, write_images, write_mnist, write_npz
from tunefast.recipe.augment import Augment, OwnAugmentation
from tunefast.recipe.data import Cifar10, Cifar100, Data, DataPart, FashionMnist, ImageFolder, Mnist, Npz, TorchDataset
from tunefast.recipe.hardware import Hardware
from tunefast.recipe.losses import Loss
from tunefast.recipe.metrics import OwnMetric
from tunefast.recipe.models import Head, Model, ModelPart
from tunefast.recipe.optimizers import Optimizer
from tunefast.recipe.part import Part
from tunefast.recipe.preprocess import Preprocess
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.recipe.regularize import Averaging, Clipping, Penalty
from tunefast.recipe.schedules import LrScaling, Schedule
from tunefast.recipe.stopping import Patience
from tunefast.recipe.transfer import Transfer
from tunefast.spec.pruners import Pruner
from tunefast.spec.samplers import Sampler

UNIONS: dict[str, Any] = {
    "data": Data,
    "model": Model,
    "loss": Loss,
    "optimizer": Optimizer,
    "schedule": Schedule,
    "sampler": Sampler,
    "pruner": Pruner,
}
SINGLES: dict[str, type[Part]] = {
    "preprocess": Preprocess,
    "augment": Augment,
    "transfer": Transfer,
    "penalty": Penalty,
    "clipping": Clipping,
    "averaging": Averaging,
    "lr_scaling": LrScaling,
    "early_stopping": Patience,
    "hardware": Hardware,
    "head": Head,
    "metrics": OwnMetric,
    "augment.own": OwnAugmentation,
}
"""Tables without a name, since there is one of each."""


def parts_of(kind: str) -> list[type[Any]]:
    """The classes of the parts of a kind."""
    union = typing.get_args(UNIONS[kind])[0]
    return list(typing.get_args(union))


ALL_PARTS: list[tuple[str, type[Part]]] = [(kind, part) for kind in UNIONS for part in parts_of(kind)]

SMALL_MODELS: dict[str, dict[str, Any]] = {
    "mlp": {"width": 16},
    "small_cnn": {"width": 4},
    "resnet9": {"width": 4},
    "torchvision": {"arch": "squeezenet1_1"},
    "timm": {"arch": "test_resnet"},
    "own": {"path": "tests.own_code:network"},
}
"""What makes a model small enough to be trained in a test."""
REGULARIZED: dict[str, dict[str, Any]] = {
    "mlp": {"dropout": 0.2, "batch_norm": True},
    "small_cnn": {"dropout": 0.2, "batch_norm": True},
    "resnet9": {"dropout": 0.2},
    "torchvision": {"head": {"hidden": 8, "dropout": 0.2}},
    "timm": {"head": {"hidden": 8, "dropout": 0.2}},
    "own": {"options": {"width": 8, "dropout": 0.2}},
}


def small(model: type[ModelPart], **options: Any) -> ModelPart:
    """The model as small as it gets; skips the test where the package that it needs is not installed."""
    name = model().table()["name"]
    if name == "timm" and importlib.util.find_spec("timm") is None:
        pytest.skip("timm is an extra: pip install timm")
    return model.model_validate({**SMALL_MODELS[name], **options})


def with_files(part: DataPart, root: Path, patch: pytest.MonkeyPatch) -> DataPart:
    """The data part itself, or pointed at a small set of its kind, written under `root`."""
    if isinstance(part, Cifar10 | Cifar100):
        reader = torchvision_sets.CIFAR100 if isinstance(part, Cifar100) else torchvision_sets.CIFAR10
        write_cifar(root, reader)
        trust_cifar(patch, reader)
    elif isinstance(part, Mnist | FashionMnist):
        write_mnist(root, folder=part.torchvision_name)
    elif isinstance(part, ImageFolder):
        write_images(root, per_class=20, size=16)
    elif isinstance(part, Npz):
        write_npz(root / part.file)
    elif isinstance(part, TorchDataset):
        return part.model_copy(update={"root": str(REPOSITORY), "path": "tests.recipe.data.own_sets:Colours"})
    else:
        return part
    return part.model_copy(update={"root": str(root), "validation": 0.2})


def recipe(**settings: Any) -> TrainingRecipe:
    """A recipe over some digits with a part or two replaced, each given as a part."""
    tables = {key: value.table() if isinstance(value, Part) else value for key, value in settings.items()}
    digits = {"name": "digits", "fraction": 0.1}
    return TrainingRecipe.model_validate({"data": digits, "batch_size": 64, "epochs": 1, **tables})
