"""A loss of the user's own, by dotted path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tunefast.recipe.data import TargetKind
from tunefast.recipe.losses.part import LossPart
from tunefast.recipe.own import OwnPart
from tunefast.recipe.own_errors import told_of

if TYPE_CHECKING:
    from torch import Tensor

    from tunefast.recipe.data import Targets


class OwnLoss(OwnPart, LossPart):
    """A loss of your own at ``package.module:name``, called as ``loss(outputs, targets)``.

    `outputs` is what the model returned, a tensor as float32; `targets` are those of the data: int64 [n] classes, uint8
    [n, T] labels, float32 [n, T] numbers, or whatever the data set has. It returns the mean over the samples, or a
    value for each [n]. A class is made once with `options`, so torch's own serve too (``torch.nn:CrossEntropyLoss``); a
    function is called with them each time. Targets are not mixed (mixup, cutmix).
    """

    name: Literal["own"] = "own"
    kinds: ClassVar[tuple[TargetKind, ...]] = ("own", "classes", "labels", "numbers")
    mixable: ClassVar[bool] = False
    path: str = OwnPart.at("torch.nn:CrossEntropyLoss")
    """Dotted path of the class or function, ``my_package.my_module:my_loss``."""
    outputs: int = Field(0, ge=0)
    """Outputs that the model is built with; 0 for as many as the targets have classes or columns."""

    def check(self, targets: Targets) -> None:
        """Raise `ValueError` where it cannot be imported or made, or has parameters, which nobody would train."""
        super().check(targets)
        function = self.function()
        if hasattr(function, "parameters") and any(weight.requires_grad for weight in function.parameters()):
            raise ValueError(f"loss {self.path!r} has parameters, which are not trained: they belong into the model")

    def num_outputs(self, targets: Targets) -> int:
        """As `outputs` says, else the number of classes or columns, else 0."""
        return self.outputs or targets.size

    def encode(self, raw: Any, targets: Targets) -> Any:  # noqa: ARG002 - as all losses
        """The targets as they are."""
        return raw

    def per_sample(self, outputs: Any, encoded: Any, weights: Tensor | None) -> Tensor:  # noqa: ARG002
        """What the user's loss says, for each sample; where it says the mean, that for each.

        Raises `ValueError` where it returns something else.
        """
        import torch

        from tunefast.nn.trees import described, first_leaf

        leaf = first_leaf(encoded)
        rows, function = len(leaf), self.function()
        if isinstance(function, torch.nn.Module):
            function.to(leaf.device)
        with told_of(f"loss {self.path!r} of outputs {described(outputs)} and targets {described(encoded)}"):
            loss = function(outputs, encoded)
        if not isinstance(loss, torch.Tensor) or loss.shape not in ((), (1,), (rows,)):
            shape = f"of shape {list(loss.shape)}" if isinstance(loss, torch.Tensor) else type(loss).__name__
            raise ValueError(f"loss {self.path!r} returned {shape}, neither a scalar nor one value for each of {rows}")
        return loss.float().reshape(-1).expand(rows)
