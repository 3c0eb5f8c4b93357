"""Recipe: every setting of one training run, checked and frozen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, TypeAdapter, ValidationError, model_validator

from tunefast.recipe.augment import Augment
from tunefast.recipe.base import LoopPart, RecipePart, or_none
from tunefast.recipe.data import IMAGE_AXES, Data, Targets
from tunefast.recipe.hardware import Hardware
from tunefast.recipe.losses import CrossEntropy, Loss
from tunefast.recipe.metrics import Metric, applies, default_metrics, metric_title
from tunefast.recipe.models import Mlp, Model, OwnModel
from tunefast.recipe.own import OwnPart
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
        validated = [metric_title(metric) for metric in self.validated_metrics]
        on_the_way = ("accuracy",) if "accuracy" in validated else ()
        return ("loss", *on_the_way, "val_loss", *(f"val_{name}" for name in validated))

    @property
    def validated_metrics(self) -> tuple[Metric, ...]:
        """What is measured on the validation part besides the loss."""
        return tuple(dict.fromkeys((*default_metrics(self.loss.kinds[0]), *self.metrics)))

    def _check_monitors(self) -> None:
        """Raise `ValueError` for a watched metric that is not reported; only then for want of a direction."""
        monitors = {"schedule.monitor": getattr(self.schedule, "monitor", None)}
        if self.early_stopping is not None:
            monitors["early_stopping.monitor"] = self.early_stopping.monitor
        for field, monitor in monitors.items():
            if monitor is not None and monitor not in self.reported_metrics:
                known = ", ".join(self.reported_metrics)
                raise ValueError(f"{field} = {monitor!r} is not reported; known: {known}")
        super()._check_monitors()

    @model_validator(mode="after")
    def _parts_fit(self) -> TrainingRecipe:
        if self.batch_size == 1 and isinstance(self.model, Mlp) and self.model.batch_norm:
            raise ValueError("batch_size = 1: model.batch_norm = true needs batches of at least 2 samples")
        if self.preprocess.normalize == "weights" and not self.model.pretrained:
            raise ValueError('preprocess.normalize = "weights" needs a model with pretrained weights (model.weights)')
        unfreeze_epoch = self.transfer.unfreeze_epoch
        if unfreeze_epoch is not None and unfreeze_epoch > self.epochs:
            raise ValueError(f"transfer.unfreeze_epoch = {unfreeze_epoch} comes after the last of {self.epochs} epochs")
        if self.augment.mixes and not self.loss.mixable:
            raise ValueError("augment.mixup_alpha and cutmix_alpha mix targets, which a loss of your own does not take")
        titles = [metric_title(metric) for metric in self.validated_metrics]
        for title in titles:
            if titles.count(title) > 1 or title == "loss":
                raise ValueError(f"metrics: {title!r} stands there twice, or is taken; give yours another name")
        for name in self.metrics:
            if isinstance(name, str) and not any(applies(name, kind) for kind in self.loss.kinds):
                raise ValueError(f"metrics: {name!r} does not go with the loss {self.loss.name!r}")
        return self

    def check(
        self, sample_shape: Sequence[int], targets: Targets, *, is_images: bool, num_train: int, scaled: bool = True
    ) -> None:
        """Raise `ValueError` where a part cannot take such samples, (channels, height, width) or else, or targets.

        `scaled` is whether inputs are images or real numbers, and not token ids, tuples or dicts.
        """
        if not scaled:
            self._check_unscaled()
        self.loss.check(targets)
        if self.drop_last and self.batch_size > num_train:
            problem = f"leaves none of the {num_train} training samples with batch_size = {self.batch_size}"
            raise ValueError(f"drop_last = true {problem}")
        for name in self.metrics:
            if isinstance(name, str) and not applies(name, targets.kind):
                raise ValueError(f"metrics: {name!r} does not go with targets that are {targets.kind}")
        if not self.loss.num_outputs(targets) and not isinstance(self.model, OwnModel):
            raise ValueError(f"model {self.model.name!r} has to know how many outputs your targets need: loss.outputs")
        if targets.kind == "own" and self.augment.needs_images:
            raise ValueError("augment moves images, and not their targets, which are your own: use augment.own")
        if not is_images and (self.augment.needs_images or self.preprocess.image_size is not None):
            field = "augment" if self.augment.needs_images else "preprocess.image_size"
            raise ValueError(f"{field} needs images stored as bytes; samples are {tuple(sample_shape)}")
        self.preprocess.check(sample_shape)
        self.augment.check(sample_shape)
        self.model.check(self.input_shape(sample_shape))

    def _check_unscaled(self) -> None:
        what = "inputs that keep their types (token ids, tuples, dicts)"
        if not isinstance(self.model, OwnModel):
            problem = f"model {self.model.name!r} does not take {what}; one of your own may: model.path"
            raise ValueError(problem)  # noqa: TRY004 - the value of a setting
        if self.preprocess != Preprocess():
            raise ValueError(f"preprocess does not go with {what}: nothing is scaled")
        if self.augment.mixes:
            raise ValueError(f"augment.mixup_alpha and cutmix_alpha do not go with {what}")

    def input_shape(self, sample_shape: Sequence[int]) -> tuple[int, ...]:
        """Shape of one sample as the model sees it: images may be scaled."""
        size = self.preprocess.image_size
        if size is None or len(sample_shape) != IMAGE_AXES:
            return tuple(sample_shape)
        return (sample_shape[0], size, size)

    def own_parts(self) -> dict[str, OwnPart]:
        """The parts that are code of the user's own, by the field where they stand."""
        parts = {
            "model": self.model,
            "loss": self.loss,
            "optimizer": self.optimizer,
            "augment.own": self.augment.own,
            **{f"metrics.{metric_title(metric)}": metric for metric in self.metrics},
        }
        return {field: part for field, part in parts.items() if isinstance(part, OwnPart)}

    @property
    def can_split(self) -> bool:
        """Whether its batches have two halves, with which it can train."""
        try:
            self.split()
        except ValidationError:
            return False
        return self.batch_size % 2 == 0

    def split(self) -> TrainingRecipe:
        """The same with half as large batches, twice as many of which are accumulated."""
        halved = {"batch_size": self.batch_size // 2, "accumulation_steps": self.accumulation_steps * 2}
        return TrainingRecipe.model_validate({**self.table(), **halved})

    def goes_on_from(self, other: TrainingRecipe) -> bool:
        """Whether weights that `other` trained fit this recipe's network, over the same data."""
        same = all(getattr(self, part) == getattr(other, part) for part in ("model", "data", "preprocess"))
        outputs = [(type(recipe.loss), getattr(recipe.loss, "outputs", None)) for recipe in (self, other)]
        return same and outputs[0] == outputs[1] and self.caches_features == other.caches_features

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
