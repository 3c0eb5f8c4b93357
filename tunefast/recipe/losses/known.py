"""The losses that come with tunefast."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tunefast.recipe.data import TargetKind
from tunefast.recipe.losses.part import FOR_KIND, LossPart, WeightedPart

if TYPE_CHECKING:
    from torch import Tensor

    from tunefast.recipe.data import Targets

_SURE = 1e-8
"""Below what fp32 can tell from 1 - 1: keeps the slope of (1 - p)^gamma finite."""


class _SoftmaxPart(WeightedPart):
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


class _SigmoidPart(WeightedPart):
    """A loss of a yes or no for each output."""

    kinds: ClassVar[tuple[TargetKind, ...]] = ("labels", "classes")

    def check(self, targets: Targets) -> None:
        """Raise `ValueError` also for any other number of classes than 2."""
        if targets.kind == "classes" and targets.size != 2:  # noqa: PLR2004 - binary
            raise ValueError(
                f"loss {self.title!r} is for labels, or for 2 classes, but the data has {targets.size} classes;"
                f" for classes there is {FOR_KIND['classes']}"
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
