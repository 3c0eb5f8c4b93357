"""Metrics: what is reported of a model on its validation part, besides the loss."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from pydantic import Field

from tunefast.recipe.data import TargetKind
from tunefast.recipe.own import OwnPart
from tunefast.recipe.own_errors import told_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from tunefast.recipe.data import Targets
    from tunefast.recipe.losses import LossPart

MetricName = Literal["accuracy", "top3_accuracy", "top5_accuracy", "f1", "auc", "mae", "rmse", "r2"]


class OwnMetric(OwnPart):
    """A metric of your own at ``package.module:name``, called as ``metric(outputs, targets)``.

    It is reported as ``val_name``. A function is called with `options` too, for each batch, and its mean over the
    samples is reported. What is no such mean is a class, made anew for each evaluation with `options`, with
    ``update(outputs, targets)`` for each batch and ``compute()`` at the end: torchmetrics' are. `outputs` is what the
    model returned, a tensor as float32.
    """

    path: str = OwnPart.at("my_metrics:my_metric")
    """Dotted path of the function or class, ``my_package.my_module:my_metric``."""
    name: str = Field("", pattern=r"^[\w-]*$")
    """What it is reported as, after ``val_``; left out, the name at the end of `path`, in small letters."""

    @property
    def title(self) -> str:
        """Its name in reports, without ``val_``."""
        return self.name or self.path.rpartition(":")[2].lower()

    def gathering(self) -> Gathering:
        """Takes in batches of one evaluation. Raises `ValueError` where the metric cannot be imported or made."""
        named = self.named()
        with told_of(f"metric {self.path!r}"):
            gathering = _Stateful(self.made()) if inspect.isclass(named) else _Averaged(self.function())
        return _Named(f"metric {self.path!r}", gathering)


Metric = MetricName | OwnMetric


def metric_title(metric: Metric) -> str:
    """What a metric is reported as, after ``val_``."""
    return metric if isinstance(metric, str) else metric.title


class Gathering(Protocol):
    """A metric of one evaluation, batch by batch."""

    def update(self, outputs: Any, targets: Any, samples: int) -> None:
        """Take in a batch."""
        ...

    def compute(self, device: torch.device) -> Tensor:
        """The metric, a scalar on the device."""
        ...


class _Named:
    """A metric whose errors begin with its name."""

    def __init__(self, what: str, gathering: Gathering) -> None:
        self._what = what
        self._gathering = gathering

    def update(self, outputs: Any, targets: Any, samples: int) -> None:
        """Take in a batch."""
        with told_of(self._what):
            self._gathering.update(outputs, targets, samples)

    def compute(self, device: torch.device) -> Tensor:
        """The metric."""
        with told_of(self._what):
            return self._gathering.compute(device)


class _Averaged:
    """The mean of a function over all samples."""

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        self._function = function
        self._total: Any = 0.0
        self._samples = 0

    def update(self, outputs: Any, targets: Any, samples: int) -> None:
        """Take in a batch."""
        self._total = self._total + self._function(outputs, targets) * samples
        self._samples += samples

    def compute(self, device: torch.device) -> Tensor:
        """The mean."""
        return _scalar(self._total / self._samples, device)


class _Stateful:
    """A metric that keeps what it needs itself."""

    def __init__(self, metric: Any) -> None:
        self._metric = metric

    def update(self, outputs: Any, targets: Any, samples: int) -> None:  # noqa: ARG002 - as all
        """Take in a batch."""
        import torch

        from tunefast.nn.trees import first_leaf

        if isinstance(self._metric, torch.nn.Module):
            self._metric.to(first_leaf(targets).device)
        self._metric.update(outputs, targets)

    def compute(self, device: torch.device) -> Tensor:
        """What the metric computes."""
        return _scalar(self._metric.compute(), device)


def _scalar(value: Any, device: torch.device) -> Tensor:
    import torch

    return torch.as_tensor(value, dtype=torch.float64, device=device).reshape(())


class Measure(NamedTuple):
    """What there is to know of a metric."""

    kinds: tuple[TargetKind, ...]
    """The kinds of targets that it is for."""
    greater_is_better: bool
    meaning: str
    measure: Callable[[Tensor, Tensor, Targets], Tensor]
    """From float32 scores [N, K or T] and targets as the data has them to a scalar."""


def applies(name: str, kind: TargetKind) -> bool:
    """Whether there is a metric of that name for that kind of targets."""
    return name in METRICS and kind in METRICS[name].kinds


def default_metrics(kind: TargetKind) -> tuple[MetricName, ...]:
    """The metrics that are reported where a recipe names none."""
    if kind == "own":
        return ()
    return ("mae", "r2") if kind == "numbers" else ("accuracy",)


def predictions(outputs: Tensor, kind: TargetKind) -> Tensor:
    """What `outputs` [n, O] say: class indices [n], int64 labels of 0 or 1 [n, T], or the numbers themselves [n, T].

    One output for classes is the logit of the second of two.
    """
    if kind == "numbers":
        return outputs
    if kind == "classes":
        return outputs.argmax(dim=1) if outputs.shape[1] > 1 else (outputs[:, 0] > 0).long()
    return (outputs > 0).long()


def num_correct(outputs: Tensor, raw_targets: Tensor) -> Tensor:
    """How many samples `outputs` [n, O] get right, as a scalar on their device.

    `raw_targets` are those of the data: int64 [n] classes or uint8 [n, T] labels. Of labels a sample counts by the
    share of its columns that are right. Does not synchronise the device.
    """
    if raw_targets.ndim == 1:
        return (predictions(outputs, "classes") == raw_targets).sum().float()
    return (predictions(outputs, "labels") == raw_targets).float().mean(dim=1).sum()


def compute(
    names: Sequence[str], outputs: Tensor, raw_targets: Tensor, loss: LossPart, targets: Targets
) -> dict[str, Tensor]:
    """The metrics in `names`, as scalars on the device, over all samples at once.

    `outputs` [N, O] are those of a model that was trained with `loss`; `raw_targets` int64 [N] classes, uint8 [N, T]
    labels or float32 [N, T] numbers. Raises `KeyError` for a name that is no metric. Only auc may
    synchronise the device.
    """
    import torch

    scores = outputs.float()
    if loss.num_outputs(targets) < targets.size:  # the logit of the second of two classes
        scores = torch.cat([torch.zeros_like(scores), scores], dim=1)
    return {name: METRICS[name].measure(scores, raw_targets, targets) for name in names}


# Importing torchmetrics takes seconds, which every worker would pay before its first trial. So what most studies report
# is computed here, and tests hold it equal to torchmetrics or scikit-learn; only f1 and auc import it.


def _accuracy(scores: Tensor, raw: Tensor, targets: Targets) -> Tensor:
    return (predictions(scores, targets.kind) == raw).double().mean()


def _top_accuracy(num_guesses: int) -> Callable[[Tensor, Tensor, Targets], Tensor]:
    def measure(scores: Tensor, raw: Tensor, targets: Targets) -> Tensor:
        guesses = scores.topk(min(num_guesses, targets.size), dim=1).indices
        return (guesses == raw[:, None]).any(dim=1).double().mean()

    return measure


def _mae(scores: Tensor, raw: Tensor, targets: Targets) -> Tensor:  # noqa: ARG001 - as all metrics
    return (scores - raw).abs().mean()


def _rmse(scores: Tensor, raw: Tensor, targets: Targets) -> Tensor:  # noqa: ARG001 - as all metrics
    return (scores - raw).square().mean().sqrt()


def _r2(scores: Tensor, raw: Tensor, targets: Targets) -> Tensor:  # noqa: ARG001 - as all metrics
    """Mean over the columns; a column that never changes has 1 where it is met exactly, else 0, as in scikit-learn.

    Centred first: the difference of sums that torchmetrics takes is noise for targets far from 0.
    """
    residual = (scores - raw).square().sum(dim=0)
    centred = raw - raw.mean(dim=0)
    total = (centred - centred.mean(dim=0)).square().sum(dim=0)
    varies = total > 0
    ratio = residual / total.where(varies, total.new_ones(()))
    return (1 - ratio).where(varies, (residual == 0).float()).mean()


def _f1(scores: Tensor, raw: Tensor, targets: Targets) -> Tensor:
    """Mean over the classes that occur among the targets or the predictions, or over the labels that do."""
    from torchmetrics.functional import classification

    predicted, size = predictions(scores, targets.kind), targets.size
    if targets.kind == "labels":
        return classification.multilabel_f1_score(predicted, raw.long(), size, validate_args=False)
    return classification.multiclass_f1_score(predicted, raw, size, validate_args=False)


def _auc(scores: Tensor, raw: Tensor, targets: Targets) -> Tensor:
    """Mean over the classes (each against the rest) or labels of which there are samples with and without."""
    from torch.nn.functional import one_hot
    from torchmetrics.functional.classification import multilabel_auroc

    wanted = raw.long() if targets.kind == "labels" else one_hot(raw, targets.size)
    odds = scores.sigmoid() if targets.kind == "labels" else scores.softmax(dim=1)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="No (positive|negative) samples in targets")  # left out below
        values = multilabel_auroc(odds, wanted, targets.size, average="none", validate_args=False)
    told_apart = (wanted.amax(dim=0) != wanted.amin(dim=0)).float()
    return (values * told_apart).sum() / told_apart.sum()


METRICS: dict[str, Measure] = {
    "accuracy": Measure(("classes", "labels"), True, "share of the answers that are right", _accuracy),
    "top3_accuracy": Measure(
        ("classes",), True, "share of samples whose class is among the 3 likeliest", _top_accuracy(3)
    ),
    "top5_accuracy": Measure(
        ("classes",), True, "share of samples whose class is among the 5 likeliest", _top_accuracy(5)
    ),
    "f1": Measure(("classes", "labels"), True, "harmonic mean of precision and recall, every class alike", _f1),
    "auc": Measure(("classes", "labels"), True, "area under the ROC curve, every class alike", _auc),
    "mae": Measure(("numbers",), False, "mean absolute error", _mae),
    "rmse": Measure(("numbers",), False, "root of the mean squared error", _rmse),
    "r2": Measure(("numbers",), True, "share of the variance that is explained", _r2),
}
METRIC_NAMES = tuple(METRICS)
