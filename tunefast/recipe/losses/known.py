"""Losses: what training makes small.

Every loss works on encoded targets that can be mixed linearly, so mixup, label smoothing and hard targets are one case:
the loss of a mixture of two encoded targets is the same mixture of their losses, for classes and for labels.
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

_SURE = 1e-8
"""Below what fp32 can tell from 1 - 1: keeps the slope of (1 - p)^gamma finite."""
_FOR_KIND: dict[TargetKind, str] = {
    "classes": "cross_entropy or focal",
    "labels": "binary_cross_entropy or binary_focal",
    "numbers": "mse or huber",
}


class LossPart(Part):
    """What training needs to know of a loss."""

    kinds: ClassVar[tuple[TargetKind, ...]]
    """The kinds of targets that it is for."""

    def check(self, targets: Targets) -> None:
        """Raise `ValueError` where the loss, or one of its options, does not fit these targets."""
        if targets.kind not in self.kinds:
            raise ValueError(
                f"loss {_name(self)!r} is for {' or '.join(self.kinds)}, but the targets of the data are {targets.kind}"
                f" (size {targets.size}); for {targets.kind} there is {_FOR_KIND[targets.kind]}"
            )

    def plain(self) -> Self:
        """The same loss without label smoothing and class weights, which is what validation reports.

        Those change what a number means, and trials that differ in them could not be compared.
        """
        return self

    def num_outputs(self, targets: Targets) -> int:
        """How many outputs the model needs."""
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


class _WeightedPart(LossPart):
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
                f"loss {_name(self)!r}: class_weight = {list(weight)} does not fit; needed are {wanted} numbers, one"
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


class _SoftmaxPart(_WeightedPart):
    """A loss of classes that exclude each other."""

    kinds: ClassVar[tuple[TargetKind, ...]] = ("classes",)

    def encode(self, raw: Tensor, targets: Targets) -> Tensor:
        """One-hot rows [n, K], smoothed as torch's ``cross_entropy`` does."""
        import torch

        spread = self.label_smoothing / targets.size
        rows = torch.full((len(raw), targets.size), spread, device=raw.device)
        return rows.scatter_(1, raw[:, None], 1 - self.label_smoothing + spread)

    def _balanced(self, targets: Targets) -> tuple[float, ...]:
        """``total / (classes * count)``, as in scikit-learn."""
        return tuple(targets.total / (targets.size * max(count, 1)) for count in targets.counts)


class _SigmoidPart(_WeightedPart):
    """A loss of a yes or no for each output."""

    kinds: ClassVar[tuple[TargetKind, ...]] = ("labels", "classes")

    def check(self, targets: Targets) -> None:
        """Raise `ValueError` also for any other number of classes than 2."""
        if targets.kind == "classes" and targets.size != 2:  # noqa: PLR2004 - binary
            raise ValueError(
                f"loss {_name(self)!r} is for labels, or for 2 classes, but the data has {targets.size} classes;"
                f" for classes there is {_FOR_KIND['classes']}"
            )
        super().check(targets)

    def num_outputs(self, targets: Targets) -> int:
        """One a label, and one for two classes: the logit of the second."""
        return 1 if targets.kind == "classes" else targets.size

    def encode(self, raw: Tensor, targets: Targets) -> Tensor:  # noqa: ARG002 - as all losses
        """0 and 1 as they are [n, T], or one half of `label_smoothing` away from there."""
        return raw.reshape(len(raw), -1).float() * (1 - self.label_smoothing) + self.label_smoothing / 2

    def _balanced(self, targets: Targets) -> tuple[float, ...]:
        """``negatives / positives``: the ratio of the two classes' weights in scikit-learn."""
        positives = targets.counts if targets.kind == "labels" else targets.counts[1:]
        return tuple(max(targets.total - count, 1) / max(count, 1) for count in positives)


class CrossEntropy(_SoftmaxPart):
    """Cross-entropy of a softmax over the classes: the standard for telling classes apart.

    Costs nothing beside a forward pass. Label smoothing buys accuracy and honest probabilities, and hurts a model that
    others are distilled from; balanced weights buy recall of rare classes, and cost accuracy over all samples. Source:
    Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016 (smoothing).
    """

    name: Literal["cross_entropy"] = "cross_entropy"

    def per_sample(self, outputs: Tensor, encoded: Tensor, weights: Tensor | None) -> Tensor:
        """``-sum_k w_k t_k log p_k``: torch's ``cross_entropy`` with targets that are probabilities."""
        from torch.nn import functional

        return functional.cross_entropy(outputs.float(), encoded, weight=weights, reduction="none")


class BinaryCrossEntropy(_SigmoidPart):
    """Cross-entropy of a yes or no for each output: for labels of which several can hold, or for two classes.

    Costs nothing beside a forward pass; hurts where labels exclude each other, since it does not know that they do.
    Source: Bishop, "Pattern recognition and machine learning", 2006, section 4.3.
    """

    name: Literal["binary_cross_entropy"] = "binary_cross_entropy"

    def per_sample(self, outputs: Tensor, encoded: Tensor, weights: Tensor | None) -> Tensor:
        """Mean over the outputs of torch's ``binary_cross_entropy_with_logits`` with `weights` as ``pos_weight``."""
        from torch.nn import functional

        losses = functional.binary_cross_entropy_with_logits(
            outputs.float(), encoded, pos_weight=weights, reduction="none"
        )
        return losses.mean(dim=1)


class Focal(_SoftmaxPart):
    """Cross-entropy of a softmax in which classes that are predicted well count less: for rare ones among many easy.

    Costs a little arithmetic, and probabilities that are too timid; hurts with wrong targets, which it takes for hard
    samples. Source: Lin et al., "Focal loss for dense object detection", ICCV 2017.
    """

    name: Literal["focal"] = "focal"
    gamma: float = Field(2.0, ge=0)
    """How strongly easy samples fade: their loss is multiplied with (1 - p)^gamma; 0 is plain cross-entropy."""

    def per_sample(self, outputs: Tensor, encoded: Tensor, weights: Tensor | None) -> Tensor:
        """``-sum_k w_k t_k (1 - p_k)^gamma log p_k``."""
        logs = outputs.float().log_softmax(dim=1)
        losses = -encoded * (1 - logs.exp()).clamp_min(_SURE).pow(self.gamma) * logs
        return (losses if weights is None else losses * weights).sum(dim=1)


class BinaryFocal(_SigmoidPart):
    """Cross-entropy of a yes or no in which answers that are predicted well count less: for rare positives.

    Costs and hurts as `Focal` does. Source: Lin et al., "Focal loss for dense object detection", ICCV 2017, which
    weighs positives with alpha and negatives with 1 - alpha; `class_weight` is their ratio.
    """

    name: Literal["binary_focal"] = "binary_focal"
    gamma: float = Field(2.0, ge=0)
    """How strongly easy samples fade: their loss is multiplied with (1 - p)^gamma; 0 is plain cross-entropy."""

    def per_sample(self, outputs: Tensor, encoded: Tensor, weights: Tensor | None) -> Tensor:
        """Mean over the outputs of ``-w t (1 - p)^gamma log p - (1 - t) p^gamma log(1 - p)``."""
        from torch.nn import functional

        outputs = outputs.float()
        log_yes, log_no = functional.logsigmoid(outputs), functional.logsigmoid(-outputs)
        yes = -encoded * (self.gamma * log_no).exp() * log_yes
        no = (encoded - 1) * (self.gamma * log_yes).exp() * log_no
        return (no + (yes if weights is None else yes * weights)).mean(dim=1)


class Mse(LossPart):
    """Mean squared error: for numbers whose errors are alike in size.

    Costs nothing; a few large errors rule it, so it hurts with outliers. Source: Gauss, "Theory of the combination of
    observations least subject to errors", 1821.
    """

    name: Literal["mse"] = "mse"
    kinds: ClassVar[tuple[TargetKind, ...]] = ("numbers",)

    def per_sample(self, outputs: Tensor, encoded: Tensor, weights: Tensor | None) -> Tensor:  # noqa: ARG002
        """Mean over the columns of the squared error."""
        return (outputs.float() - encoded).square().mean(dim=1)


class Huber(LossPart):
    """Half the squared error where it is small, and growing as the absolute error where it is large: for outliers.

    Costs one more setting; hurts when `delta` is far below the errors that matter, since all then pull alike. Source:
    Huber, "Robust estimation of a location parameter", 1964.
    """

    name: Literal["huber"] = "huber"
    kinds: ClassVar[tuple[TargetKind, ...]] = ("numbers",)
    delta: float = Field(1.0, gt=0)
    """The error at which it changes over, in the unit of the targets that the model is trained on."""

    def per_sample(self, outputs: Tensor, encoded: Tensor, weights: Tensor | None) -> Tensor:  # noqa: ARG002
        """Mean over the columns of torch's ``huber_loss``."""
        from torch.nn import functional

        return functional.huber_loss(outputs.float(), encoded, delta=self.delta, reduction="none").mean(dim=1)


def _name(part: LossPart) -> str:
    return str(part.table()["name"])


Loss = Annotated[CrossEntropy | BinaryCrossEntropy | Focal | BinaryFocal | Mse | Huber, Field(discriminator="name")]
