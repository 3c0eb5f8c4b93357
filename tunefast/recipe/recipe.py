"""Recipe: every setting of one training run, checked and frozen."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, TypeAdapter, model_validator

from tunefast.recipe.data import Data
from tunefast.recipe.models import Mlp, Model
from tunefast.recipe.optimizers import AdamW, Optimizer
from tunefast.recipe.part import Part
from tunefast.recipe.precision import Precision
from tunefast.recipe.schedules import Constant, Schedule, SchedulePart
from tunefast.recipe.stopping import Patience


class RecipePart(Part):
    """What tunefast's own training and a user's objective have in common."""

    epochs: int = Field(10, ge=1)
    """Epochs to train at most."""
    early_stopping: Patience | None = None
    """When a trial that stopped improving ends; never, where it is left out."""

    def patience(self) -> Patience | None:
        """The early stopping settings with `start_from_epoch` filled in from the schedule."""
        return self.early_stopping

    @property
    def annealed(self) -> bool:
        """Whether trials look worse on the way than they will at the end."""
        return False


TRAINING_METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")
"""What tunefast's own training reports after each epoch."""


class TrainingRecipe(RecipePart):
    """One run of tunefast's own training loop."""

    data: Data
    """The samples."""
    model: Model = Mlp()
    """What is trained."""
    optimizer: Optimizer = AdamW()
    """How a step is taken."""
    schedule: Schedule = Constant()
    """How the learning rate moves."""
    batch_size: int = Field(128, ge=1)
    """Samples in one forward and backward pass."""
    accumulation_steps: int = Field(1, ge=1)
    """Batches whose gradients are added up before the optimizer takes a step."""
    precision: Precision = "fp32"
    """Number format of the forward and backward pass: fp32, bf16 or fp16 with a scaled loss."""

    @model_validator(mode="after")
    def _monitor_reported(self) -> TrainingRecipe:
        if self.early_stopping is not None and self.early_stopping.monitor not in TRAINING_METRICS:
            known = ", ".join(TRAINING_METRICS)
            raise ValueError(
                f"early_stopping.monitor = {self.early_stopping.monitor!r} is not reported; known: {known}"
            )
        return self

    @model_validator(mode="after")
    def _batches_can_be_normalised(self) -> TrainingRecipe:
        if self.batch_size == 1 and isinstance(self.model, Mlp) and self.model.batch_norm:
            raise ValueError("batch_size = 1: model.batch_norm = true needs batches of at least 2 samples")
        return self

    def patience(self) -> Patience | None:
        """Early stopping that starts after the schedule's peak, where the user set nothing else."""
        settings = self.early_stopping
        if settings is None or settings.start_from_epoch is not None:
            return settings
        schedule: SchedulePart = self.schedule
        return settings.model_copy(update={"start_from_epoch": int(schedule.peak * self.epochs)})

    @property
    def annealed(self) -> bool:
        """Whether the schedule ends low."""
        return self.schedule.annealed


class ObjectiveRecipe(RecipePart):
    """One run of a user's own objective: ``objective(recipe, context)``."""

    objective: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
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
