"""Recipe: every setting of one training run, checked and frozen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, TypeAdapter, model_validator

from tunefast.recipe.augment import Augment
from tunefast.recipe.data import IMAGE_AXES, Data, Targets
from tunefast.recipe.hardware import Hardware
from tunefast.recipe.losses import CrossEntropy, Loss
from tunefast.recipe.metrics import Metric, applies, default_metrics
from tunefast.recipe.models import Mlp, Model
from tunefast.recipe.optimizers import AdamW, Optimizer
from tunefast.recipe.own import DOTTED_PATH
from tunefast.recipe.part import Part
from tunefast.recipe.precision import Precision
from tunefast.recipe.preprocess import Preprocess
from tunefast.recipe.regularize import Averaging, Clipping, Penalty
from tunefast.recipe.schedules import Constant, LrScaling, Schedule, SchedulePart
from tunefast.recipe.stopping import Patience
from tunefast.recipe.transfer import Transfer


def _none_is_off(value: Any) -> Any:
    return None if value == "none" else value


def _or_none(part: Any) -> BeforeValidator:
    """Lets a spec write "none" for a part that may be left out, so that a choice can have it."""
    return BeforeValidator(_none_is_off, json_schema_input_type=part | Literal["none"] | None)


class RecipePart(Part):
    """What tunefast's own training and a user's objective have in common."""

    epochs: int = Field(10, ge=1)
    """Epochs to train at most."""
    seed: int | None = Field(None, ge=0)
    """Decides all random draws. Left out, each trial has one of its own, by the study's seed and the trial's number."""
    early_stopping: Annotated[Patience | None, _or_none(Patience)] = None
    """When a trial that stopped improving ends; never, where it is left out or "none"."""

    def patience(self) -> Patience | None:
        """The early stopping settings with `start_from_epoch` filled in from the schedule."""
        return self.early_stopping

    def settings(self) -> dict[str, Any]:
        """The recipe as a spec has it: every option of the parts that differ from what they are when left out."""
        table = self.model_dump(mode="json", exclude_none=True)
        fields = type(self).model_fields
        return {
            key: value for key, value in table.items() if getattr(self, key) != fields[key].default or key == "epochs"
        }

    @property
    def annealed(self) -> bool:
        """Whether trials look worse on the way than they will at the end."""
        return False


class TrainingRecipe(RecipePart):
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
    optimizer: Optimizer = AdamW()
    """How a step is taken."""
    schedule: Schedule = Constant()
    """How the learning rate moves."""
    lr_scaling: Annotated[LrScaling | None, _or_none(LrScaling)] = None
    """How the learning rate grows with the effective batch (batch_size x accumulation_steps); left out or "none", it
    does not."""
    batch_size: int = Field(128, ge=1)
    """Samples in one forward and backward pass."""
    accumulation_steps: int = Field(1, ge=1)
    """Batches whose gradients are added up before the optimizer takes a step."""
    drop_last: bool = False
    """Leave out the last batch of an epoch where it is not full, so that all have one shape."""
    precision: Precision = "fp32"
    """Number format of the passes: fp32, tf32, bf16, fp16 with a scaled loss, or auto for what the device does well."""
    penalty: Penalty = Penalty()
    """Costs of large weights, added to the loss."""
    clipping: Clipping = Clipping()
    """Limits on the gradient."""
    averaging: Annotated[Averaging | None, _or_none(Averaging)] = None
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

    def patience(self) -> Patience | None:
        """Early stopping that starts after the schedule's peak, where the user set nothing else."""
        settings = self.early_stopping
        if settings is None or settings.start_from_epoch is not None:
            return settings
        schedule: SchedulePart = self.schedule
        return settings.model_copy(update={"start_from_epoch": int(schedule.peak_epoch(self.epochs))})

    @property
    def caches_features(self) -> bool:
        """Whether the backbone's features are the same in every epoch, so that they are computed once and kept."""
        return self.transfer.caches_features and not self.augment.random

    @property
    def lr_factor(self) -> float:
        """What the optimizer's learning rate is multiplied with because of the effective batch."""
        if self.lr_scaling is None:
            return 1.0
        return self.lr_scaling.factor(self.batch_size * self.accumulation_steps)

    @property
    def annealed(self) -> bool:
        """Whether the schedule ends low."""
        return self.schedule.annealed


class ObjectiveRecipe(RecipePart):
    """One run of a user's own objective: ``objective(recipe, context)``."""

    objective: str = Field(pattern=DOTTED_PATH)
    """Dotted path of a function, ``my_package.my_module:function``."""
    params: dict[str, Any] = Field(default_factory=dict)
    """Free settings, searched as ``params.NAME``."""


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "objective" if "objective" in value else "training"
    return "objective" if isinstance(value, ObjectiveRecipe) else "training"


Recipe = Annotated[
    Annotated[TrainingRecipe, Tag("training")] | Annotated[ObjectiveRecipe, Tag("objective")], Discriminator(_kind)
]

RECIPE: TypeAdapter[TrainingRecipe | ObjectiveRecipe] = TypeAdapter(Recipe)
"""Checks plain data against a recipe: ``RECIPE.validate_python(table)``."""
