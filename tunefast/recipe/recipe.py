"""Recipe: every setting of one training run, checked and frozen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, TypeAdapter, model_validator

from tunefast.recipe.augment import Augment
from tunefast.recipe.base import LoopPart, RecipePart, or_none
from tunefast.recipe.data import IMAGE_AXES, Data, Targets
from tunefast.recipe.hardware import Hardware
from tunefast.recipe.losses import CrossEntropy, Loss
from tunefast.recipe.metrics import Metric, applies, default_metrics
from tunefast.recipe.models import Mlp, Model
from tunefast.recipe.own_training import CommandRecipe, ObjectiveRecipe
from tunefast.recipe.preprocess import Preprocess
from tunefast.recipe.regularize import Averaging, Penalty
from tunefast.recipe.transfer import Transfer


class TrainingRecipe(LoopPart):
    """One run of tunefast's own training loop."""

    data: Data
    """The samples."""
    preprocess: Preprocess = Preprocess()
    """What is done to every sample alike: scaling of values and image sizes."""
    augment: Augment = Augment()
    """What is done to training batches at random: flips, crops, cutout, mixup, cutmix; nothing by default."""
    model: Model = Mlp()
    """What is trained."""
    transfer: Transfer = Transfer()
    """Which part of a pretrained model trains, from when on, and how fast."""
    loss: Loss = CrossEntropy()
    """What is minimised."""
    metrics: Annotated[tuple[Metric, ...], Field(strict=False)] = ()
    """What is reported on the validation part besides the loss and what goes with it: accuracy, or mae and r2."""
    drop_last: bool = False
    """Leave out the last batch of an epoch where it is not full, so that all have one shape."""
    penalty: Penalty = Penalty()
    """Costs of large weights, added to the loss."""
    averaging: Annotated[Averaging | None, or_none(Averaging)] = None
    """A moving average of the weights, which is then what is evaluated and kept; left out or "none", there is none."""
    hardware: Hardware = Hardware()
    """How the training is laid out on the device: compile, memory layout, where samples wait."""

    @property
    def reported_metrics(self) -> tuple[str, ...]:
        """What the training reports after each epoch, under Keras's names."""
        validated = self.validated_metrics
        on_the_way = ("accuracy",) if "accuracy" in validated else ()
        return ("loss", *on_the_way, "val_loss", *(f"val_{name}" for name in validated))

    @property
    def validated_metrics(self) -> tuple[str, ...]:
        """What is measured on the validation part besides the loss."""
        return tuple(dict.fromkeys((*default_metrics(self.loss.kinds[0]), *self.metrics)))

    @model_validator(mode="after")
    def _monitors_reported(self) -> TrainingRecipe:
        monitors = {"schedule.monitor": getattr(self.schedule, "monitor", None)}
        if self.early_stopping is not None:
            monitors["early_stopping.monitor"] = self.early_stopping.monitor
        for field, monitor in monitors.items():
            if monitor is not None and monitor not in self.reported_metrics:
                known = ", ".join(self.reported_metrics)
                raise ValueError(f"{field} = {monitor!r} is not reported; known: {known}")
        return self

    @model_validator(mode="after")
    def _parts_fit(self) -> TrainingRecipe:
        if self.batch_size == 1 and isinstance(self.model, Mlp) and self.model.batch_norm:
            raise ValueError("batch_size = 1: model.batch_norm = true needs batches of at least 2 samples")
        if self.preprocess.normalize == "weights" and not self.model.pretrained:
            raise ValueError('preprocess.normalize = "weights" needs a model with pretrained weights (model.weights)')
        unfreeze_epoch = self.transfer.unfreeze_epoch
        if unfreeze_epoch is not None and unfreeze_epoch > self.epochs:
            raise ValueError(f"transfer.unfreeze_epoch = {unfreeze_epoch} comes after the last of {self.epochs} epochs")
        for name in self.metrics:
            if not any(applies(name, kind) for kind in self.loss.kinds):
                raise ValueError(f"metrics: {name!r} does not go with the loss {self.loss.name!r}")
        return self

    def check(self, sample_shape: Sequence[int], targets: Targets, *, is_images: bool, num_train: int) -> None:
        """Raise `ValueError` where a part cannot take such samples, (channels, height, width) or else, or targets."""
        self.loss.check(targets)
        if self.drop_last and self.batch_size > num_train:
            problem = f"leaves none of the {num_train} training samples with batch_size = {self.batch_size}"
            raise ValueError(f"drop_last = true {problem}")
        for name in self.metrics:
            if not applies(name, targets.kind):
                raise ValueError(f"metrics: {name!r} does not go with targets that are {targets.kind}")
        if not is_images and (self.augment.needs_images or self.preprocess.image_size is not None):
            field = "augment" if self.augment.needs_images else "preprocess.image_size"
            raise ValueError(f"{field} needs images stored as bytes; samples are {tuple(sample_shape)}")
        self.preprocess.check(sample_shape)
        self.augment.check(sample_shape)
        self.model.check(self.input_shape(sample_shape))

    def input_shape(self, sample_shape: Sequence[int]) -> tuple[int, ...]:
        """Shape of one sample as the model sees it: images may be scaled."""
        size = self.preprocess.image_size
        if size is None or len(sample_shape) != IMAGE_AXES:
            return tuple(sample_shape)
        return (sample_shape[0], size, size)

    @property
    def caches_features(self) -> bool:
        """Whether the backbone's features are the same in every epoch, so that they are computed once and kept."""
        return self.transfer.caches_features and not self.augment.random


MODELS: dict[str, type[RecipePart]] = {
    "objective": ObjectiveRecipe,
    "command": CommandRecipe,
    "training": TrainingRecipe,
}
"""The kinds of recipe. Those of the user's own training are told by the key that their name is."""


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return next((key for key in MODELS if key in value), "training")
    return next(key for key, model in MODELS.items() if isinstance(value, model))


AnyRecipe = TrainingRecipe | ObjectiveRecipe | CommandRecipe
Recipe = Annotated[
    Annotated[TrainingRecipe, Tag("training")]
    | Annotated[ObjectiveRecipe, Tag("objective")]
    | Annotated[CommandRecipe, Tag("command")],
    Discriminator(_kind),
]

RECIPE: TypeAdapter[AnyRecipe] = TypeAdapter(Recipe)
"""Checks plain data against a recipe: ``RECIPE.validate_python(table)``."""
