"""What all recipes have in common, whoever trains."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from tunefast.recipe.optimizers import AdamW, Optimizer
from tunefast.recipe.part import Part
from tunefast.recipe.precision import Precision
from tunefast.recipe.regularize import Clipping
from tunefast.recipe.schedules import Constant, LrScaling, Schedule, SchedulePart
from tunefast.recipe.stopping import Patience


def _none_is_off(value: Any) -> Any:
    return None if value == "none" else value


def or_none(part: Any) -> BeforeValidator:
    """Lets a spec write "none" for a part that may be left out, so that a choice can have it."""
    return BeforeValidator(_none_is_off, json_schema_input_type=part | Literal["none"] | None)


class RecipePart(Part):
    """What tunefast's own training and a user's have in common."""

    epochs: int = Field(10, ge=1)
    """Epochs to train at most."""
    seed: int | None = Field(None, ge=0)
    """Decides all random draws. Left out, each trial has one of its own, by the study's seed and the trial's number."""
    early_stopping: Annotated[Patience | None, or_none(Patience)] = None
    """When a trial that stopped improving ends; never, where it is left out or "none"."""

    @model_validator(mode="after")
    def _monitors_known(self) -> Self:
        self._check_monitors()
        return self

    def _check_monitors(self) -> None:
        """Raise `ValueError` for a watched metric that is not reported, or of which nobody says what is better."""
        if self.early_stopping is not None:
            try:
                self.early_stopping.check_direction()
            except ValueError as error:
                raise ValueError(f"early_stopping: {error}") from error

    def patience(self) -> Patience | None:
        """The early stopping settings with `start_from_epoch` filled in from the schedule."""
        return self.early_stopping

    def settings(self) -> dict[str, Any]:
        """The recipe as a spec has it: every option of the parts that differ from what they are when left out."""
        table = self.model_dump(mode="json", exclude_none=True)
        fields = type(self).model_fields
        return {
            key: value
            for key, value in table.items()
            if key not in fields or getattr(self, key) != fields[key].default or key == "epochs"
        }

    @property
    def annealed(self) -> bool:
        """Whether trials look worse on the way than they will at the end."""
        return False


class LoopPart(RecipePart):
    """What a loop over batches needs, tunefast's own or one that borrows these parts."""

    optimizer: Optimizer = AdamW()
    """How a step is taken."""
    schedule: Schedule = Constant()
    """How the learning rate moves."""
    lr_scaling: Annotated[LrScaling | None, or_none(LrScaling)] = None
    """How the learning rate grows with the effective batch (batch_size x accumulation_steps); left out or "none", it
    does not."""
    batch_size: int = Field(128, ge=1)
    """Samples in one forward and backward pass."""
    accumulation_steps: int = Field(1, ge=1)
    """Batches whose gradients are added up before the optimizer takes a step."""
    precision: Precision = "fp32"
    """Number format of the passes: fp32, tf32, bf16, fp16 with a scaled loss, or auto for what the device does well."""
    clipping: Clipping = Clipping()
    """Limits on the gradient."""

    def patience(self) -> Patience | None:
        """Early stopping that starts after the schedule's peak, where the user set nothing else."""
        settings = self.early_stopping
        if settings is None or settings.start_from_epoch is not None:
            return settings
        schedule: SchedulePart = self.schedule
        return settings.model_copy(update={"start_from_epoch": int(schedule.peak_epoch(self.epochs))})

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
