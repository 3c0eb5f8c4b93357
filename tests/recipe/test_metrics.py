"""Metrics against torchmetrics and scikit-learn."""

from __future__ import annotations

import math
import subprocess
import sys
import typing
from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, mean_absolute_error, r2_score, roc_auc_score, root_mean_squared_error
from torch import Tensor
from torchmetrics.functional import classification, regression

from tests.recipe.targets import CLASSES, LABELS, NUMBERS, SIZE, TWO_CLASSES, outputs, raw
from tunefast.recipe.data import TargetKind, Targets
from tunefast.recipe.losses import BinaryCrossEntropy, CrossEntropy, LossPart, Mse
from tunefast.recipe.metrics import METRIC_NAMES, METRICS, MetricName, applies, compute, default_metrics, num_correct
from tunefast.recipe.stopping import metric_direction

TEN_CLASSES = Targets("classes", 10, (10,) * 10, 100)
LOSSES: dict[TargetKind, LossPart] = {"classes": CrossEntropy(), "labels": BinaryCrossEntropy(), "numbers": Mse()}


def value(name: str, given: Tensor, wanted: Tensor, targets: Targets, loss: LossPart | None = None) -> float:
    """One metric as a number."""
    return compute([name], given, wanted, loss or LOSSES[targets.kind], targets)[name].item()


def names_for(kind: TargetKind) -> list[str]:
    """The metrics of a kind of targets."""
    return [name for name in METRICS if applies(name, kind)]


def test_names_agree() -> None:
    """A spec can name exactly the metrics that there are."""
    assert METRIC_NAMES == typing.get_args(MetricName) == tuple(METRICS)


@pytest.mark.parametrize("name", METRIC_NAMES)
def test_every_direction_is_known_by_name(name: str) -> None:
    """Early stopping, pruning and studies turn the right way for each metric, prefixed or not."""
    direction = "maximize" if METRICS[name].greater_is_better else "minimize"
    assert metric_direction(name) == metric_direction(f"val_{name}") == direction


@pytest.mark.parametrize("name", METRIC_NAMES)
def test_directions_are_true(name: str) -> None:
    """Answers that are right score better than the opposite ones."""
    for targets in (TEN_CLASSES, LABELS, NUMBERS):
        if applies(name, targets.kind):
            wanted = raw(targets)
            right = LOSSES[targets.kind].encode(wanted, targets)
            right = right if targets.kind == "numbers" else 2 * right - 1
            best, worst = value(name, right, wanted, targets), value(name, -right, wanted, targets)
            assert (best > worst) == METRICS[name].greater_is_better


def test_which_metrics_apply() -> None:
    """Every kind has its own, defaults among them, and a name that is none applies to nothing."""
    assert names_for("classes") == ["accuracy", "top3_accuracy", "top5_accuracy", "f1", "auc"]
    assert names_for("labels") == ["accuracy", "f1", "auc"]
    assert names_for("numbers") == ["mae", "rmse", "r2"]
    assert all(applies(name, kind) for kind in LOSSES for name in default_metrics(kind))
    assert not applies("perplexity", "classes")


@pytest.mark.parametrize("targets", [CLASSES, TEN_CLASSES, TWO_CLASSES], ids=lambda targets: f"{targets.size} classes")
def test_classes_equal_torchmetrics(targets: Targets) -> None:
    """Metrics of classes are torchmetrics' own."""
    given, wanted, size = outputs(targets.size), raw(targets), targets.size
    top3, top5 = min(3, size), min(5, size)
    expected = {
        "accuracy": classification.multiclass_accuracy(given, wanted, size, "micro"),
        "top3_accuracy": classification.multiclass_accuracy(given, wanted, size, "micro", top_k=top3),
        "top5_accuracy": classification.multiclass_accuracy(given, wanted, size, "micro", top_k=top5),
        "f1": classification.multiclass_f1_score(given, wanted, num_classes=size, average="macro"),
        "auc": classification.multiclass_auroc(given, wanted, num_classes=size, average="macro"),
    }
    torch.testing.assert_close(
        compute(list(expected), given, wanted, CrossEntropy(), targets), expected, check_dtype=False
    )


def test_labels_equal_torchmetrics() -> None:
    """Metrics of labels are torchmetrics' own."""
    given, wanted = outputs(3), raw(LABELS)
    expected = {
        "accuracy": classification.multilabel_accuracy(given, wanted.long(), num_labels=3),
        "f1": classification.multilabel_f1_score(given, wanted.long(), num_labels=3, average="macro"),
        "auc": classification.multilabel_auroc(given, wanted.long(), num_labels=3, average="macro"),
    }
    torch.testing.assert_close(
        compute(list(expected), given, wanted, BinaryCrossEntropy(), LABELS), expected, check_dtype=False
    )


def test_numbers_equal_torchmetrics() -> None:
    """Metrics of numbers are torchmetrics' own."""
    given, wanted = outputs(2), raw(NUMBERS)
    expected = {
        "mae": regression.mean_absolute_error(given, wanted),
        "rmse": regression.mean_squared_error(given, wanted, squared=False),
        "r2": regression.r2_score(given, wanted),
    }
    torch.testing.assert_close(compute(list(expected), given, wanted, Mse(), NUMBERS), expected, check_dtype=False)


def test_equal_scikit_learn() -> None:
    """They mean what scikit-learn's users expect."""
    given, wanted = outputs(4), raw(CLASSES)
    guesses, chances = given.argmax(dim=1).numpy(), given.softmax(dim=1).numpy()
    assert value("f1", given, wanted, CLASSES) == pytest.approx(f1_score(wanted, guesses, average="macro"))
    assert value("auc", given, wanted, CLASSES) == pytest.approx(roc_auc_score(wanted, chances, multi_class="ovr"))
    given, wanted = outputs(2), raw(NUMBERS)
    twins: dict[str, Callable[[Tensor, Tensor], float]] = {
        "mae": mean_absolute_error,
        "rmse": lambda true, guessed: root_mean_squared_error(true.reshape(-1), guessed.reshape(-1)),
        "r2": r2_score,
    }
    for name, twin in twins.items():
        assert value(name, given, wanted, NUMBERS) == pytest.approx(twin(wanted, given), rel=1e-5)


@pytest.mark.parametrize("name", ["accuracy", "top3_accuracy", "f1", "auc"])
def test_one_logit_counts_as_two_classes(name: str) -> None:
    """Two classes score alike, whether the model has one output or two."""
    given, wanted = outputs(1), raw(TWO_CLASSES)
    two = torch.cat([torch.zeros_like(given), given], dim=1)
    expected = value(name, two, wanted, TWO_CLASSES, CrossEntropy())
    assert value(name, given, wanted, TWO_CLASSES, BinaryCrossEntropy()) == pytest.approx(expected)


@pytest.mark.parametrize("targets", [CLASSES, LABELS], ids=["classes", "labels"])
def test_accuracy_is_what_training_counts(targets: Targets) -> None:
    """`accuracy` and `val_accuracy` measure the same thing."""
    given, wanted = outputs(targets.size), raw(targets)
    counted = num_correct(given, wanted)
    assert counted is not None
    assert value("accuracy", given, wanted, targets) == pytest.approx(counted.item() / SIZE)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_outputs_are_measured_in_full(dtype: torch.dtype) -> None:
    """The precision of a forward pass does not decide that of a mean."""
    wanted = raw(NUMBERS) + 1000
    given = (wanted + outputs(2)).to(dtype)
    for name in names_for("numbers"):
        assert value(name, given, wanted, NUMBERS) == pytest.approx(value(name, given.float(), wanted, NUMBERS))


def test_r2_of_targets_far_from_zero() -> None:
    """An offset changes nothing, where a difference of sums would be noise."""
    wanted = raw(NUMBERS)
    given = wanted + outputs(2) / 10
    assert value("r2", given + 4096, wanted + 4096, NUMBERS) == pytest.approx(r2_score(wanted, given), abs=1e-2)


def test_r2_of_targets_that_never_change() -> None:
    """There is nothing to explain: 1 for a hit, 0 for a miss, as in scikit-learn."""
    wanted = torch.full((8, 2), 3.0)
    missed = torch.stack([wanted[:, 0], wanted[:, 1] + torch.arange(8) / 10], dim=1)
    assert value("r2", wanted, wanted, NUMBERS) == 1.0
    assert value("r2", missed, wanted, NUMBERS) == r2_score(wanted, missed) == 0.5


def test_auc_leaves_out_what_has_one_side_only() -> None:
    """A class that the validation part lacks has no curve, and does not drag the mean down."""
    given, wanted = outputs(4), raw(CLASSES) % 3
    chances = given.softmax(dim=1).numpy()
    curves = [roc_auc_score(wanted == label, chances[:, label]) for label in range(3)]
    assert value("auc", given, wanted, CLASSES) == pytest.approx(np.mean(curves))
    assert math.isnan(value("auc", given, torch.zeros_like(wanted), CLASSES))


def test_unknown_metric() -> None:
    """A name that is no metric is an error, never a silent gap in a report."""
    with pytest.raises(KeyError, match="perplexity"):
        compute(["perplexity"], outputs(4), raw(CLASSES), CrossEntropy(), CLASSES)


def test_common_metrics_do_without_torchmetrics() -> None:
    """A worker that reports accuracy, or mae and r2, does not wait for torchmetrics' import."""
    probe = (
        "import sys, torch\n"
        "from tunefast.recipe.data import Targets\n"
        "from tunefast.recipe.losses import CrossEntropy, Mse\n"
        "from tunefast.recipe.metrics import default_metrics, num_correct, compute\n"
        "classes, numbers = Targets('classes', 3, (1, 1, 1), 3), Targets('numbers', 3, (), 3)\n"
        "compute(['accuracy', 'top3_accuracy'], torch.eye(3), torch.arange(3), CrossEntropy(), classes)\n"
        "compute(['mae', 'rmse', 'r2'], torch.eye(3), torch.eye(3), Mse(), numbers)\n"
        "print('torchmetrics' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
