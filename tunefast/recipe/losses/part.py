"""What all losses have in common.

Every loss that comes with tunefast works on encoded targets that can be mixed linearly, so mixup, label smoothing and
hard targets are one case: the loss of a mixture of two encoded targets is the same mixture of their losses, for classes
and for labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field

from tunefast.recipe.data import TargetKind
from tunefast.recipe.part import Part

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from tunefast.recipe.data import Targets

_Weights = Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(strict=False)]

FOR_KIND: dict[TargetKind, str] = {
    "classes": "cross_entropy or focal",
    "labels": "binary_cross_entropy or binary_focal",
    "numbers": "mse or huber",
    "own": 'one of your own, { name = "own", path = "my_module:my_loss" }',
}


class LossPart(Part):
    """What training needs to know of a loss."""

    kinds: ClassVar[tuple[TargetKind, ...]]
    """The kinds of targets that it is for."""
    mixable: ClassVar[bool] = True
    """Whether targets, once encoded, can be mixed linearly."""

    @property
    def title(self) -> str:
        """What messages call it."""
        return str(self.table()["name"])

    def check(self, targets: Targets) -> None:
        """Raise `ValueError` where the loss, or one of its options, does not fit these targets."""
        if targets.kind not in self.kinds:
            raise ValueError(
                f"loss {self.title!r} is for {' or '.join(self.kinds)}, but the targets of the data are {targets.kind}"
                f" (size {targets.size}); for {targets.kind} there is {FOR_KIND[targets.kind]}"
            )

    def plain(self) -> Self:
        """The same loss without label smoothing and class weights, which is what validation reports.

        Those change what a number means, and trials that differ in them could not be compared.
        """
        return self

    def num_outputs(self, targets: Targets) -> int:
        """How many outputs the model needs; 0 where only the user's own code knows."""
        return targets.size

    def encode(self, raw: Tensor, targets: Targets) -> Tensor:  # noqa: ARG002 - as all losses
        """Targets of the data as float32 rows [n, outputs] that can be mixed linearly; numbers as they are.

        `raw` is int64 [n] for classes, uint8 [n, T] for labels, float32 [n, T] for numbers. Does not synchronise the
        device.
        """
        return raw.float()

    def per_sample(self, outputs: Tensor, encoded: Tensor, weights: Tensor | None) -> Tensor:
        """The float32 loss of each sample [n], given `outputs` [n, O], encoded targets [n, O] and `class_weights`.

        The loss of a batch is the plain mean of it: weights do not enter the denominator, which is what torch does for
        targets that are probabilities. Does not synchronise the device.
        """
        raise NotImplementedError

    def class_weights(self, targets: Targets, device: torch.device) -> Tensor | None:  # noqa: ARG002 - as all losses
        """The weights that `per_sample` takes, float32 on `device`, or None for equal ones."""
        return None


class WeightedPart(LossPart):
    """A loss of classes or labels."""

    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """Share of every target that is spread evenly over all classes (of a yes or no: over both)."""
    class_weight: Literal["none", "balanced"] | _Weights = "none"
    """Factor on the loss of each class: none, balanced (every class counts the same in sum), or one number a class.

    Where each output is a yes or no, there is one factor an output, on the loss of its yes.
    """

    def plain(self) -> Self:
        """Without label smoothing and class weights."""
        return self.model_copy(update={"label_smoothing": 0.0, "class_weight": "none"})

    def check(self, targets: Targets) -> None:
        """Raise `ValueError` for targets of another kind, or another number of classes than there are weights."""
        super().check(targets)
        weight, wanted = self.class_weight, self.num_outputs(targets)
        if isinstance(weight, str):
            return
        if len(weight) != wanted or not any(weight):
            raise ValueError(
                f"loss {self.title!r}: class_weight = {list(weight)} does not fit; needed are {wanted} numbers, one"
                " for each output of the model, not all of them 0"
            )

    def class_weights(self, targets: Targets, device: torch.device) -> Tensor | None:
        """One weight an output, as given, or from how often each class occurs; what never does counts as if once."""
        import torch

        if self.class_weight == "none":
            return None
        values = self._balanced(targets) if self.class_weight == "balanced" else self.class_weight
        return torch.tensor(values, dtype=torch.float32, device=device)

    def _balanced(self, targets: Targets) -> tuple[float, ...]:
        raise NotImplementedError
