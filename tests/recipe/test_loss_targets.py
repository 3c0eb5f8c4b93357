"""What losses make of targets: encoded rows, weights of classes, and which outputs are right."""

from __future__ import annotations

import typing

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from tests.recipe.targets import CLASSES, LABELS, SIZE, TWO_CLASSES, raw
from tunefast.recipe.data import TargetKind, Targets
from tunefast.recipe.losses import (
    BinaryCrossEntropy,
    BinaryFocal,
    CrossEntropy,
    Focal,
)
from tunefast.recipe.metrics import default_metrics, num_correct, predictions

CPU = torch.device("cpu")


@given(
    classes=st.integers(2, 50),
    smoothing=st.floats(0, 0.99),
    seed=st.integers(0, 1000),
    part=st.sampled_from([CrossEntropy, Focal]),
)
def test_encoded_classes_are_distributions(
    classes: int, smoothing: float, seed: int, part: type[CrossEntropy | Focal]
) -> None:
    """Every row sums to one and is highest at the class itself."""
    targets = Targets("classes", classes, (1,) * classes, classes)
    wanted = raw(targets, seed)
    encoded = part(label_smoothing=smoothing).encode(wanted, targets)
    assert (encoded >= 0).all()
    torch.testing.assert_close(encoded.sum(dim=1), torch.ones(SIZE))
    assert torch.equal(encoded.argmax(dim=1), wanted)


@given(smoothing=st.floats(0, 0.99))
def test_encoded_labels(smoothing: float) -> None:
    """A yes and a no move towards each other by as much, and never meet."""
    encoded = BinaryCrossEntropy(label_smoothing=smoothing).encode(raw(LABELS), LABELS)
    expected = torch.where(raw(LABELS) == 1, 1 - smoothing / 2, smoothing / 2)
    torch.testing.assert_close(encoded, expected)
    assert ((encoded > 0.5) == (raw(LABELS) == 1)).all()


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    """A class weighs ``total / (classes * count)``; where one output tells two apart, the ratio of these."""
    for targets in (CLASSES, TWO_CLASSES):
        classes = np.arange(targets.size)
        expected = compute_class_weight("balanced", classes=classes, y=np.repeat(classes, targets.counts))
        weights = CrossEntropy(class_weight="balanced").class_weights(targets, CPU)
        torch.testing.assert_close(weights, torch.tensor(expected, dtype=torch.float32))
    ratio = BinaryCrossEntropy(class_weight="balanced").class_weights(TWO_CLASSES, CPU)
    torch.testing.assert_close(ratio, torch.tensor([expected[1] / expected[0]], dtype=torch.float32))
    labels = BinaryFocal(class_weight="balanced").class_weights(LABELS, CPU)
    torch.testing.assert_close(labels, torch.tensor([9.0, 1.0, 0.25]))


def test_balanced_weights_of_what_never_occurs() -> None:
    """A class without samples, or a label that always holds, leaves the loss finite."""
    empty = CrossEntropy(class_weight="balanced").class_weights(Targets("classes", 2, (10, 0), 10), CPU)
    torch.testing.assert_close(empty, torch.tensor([0.5, 5.0]))
    always = BinaryCrossEntropy(class_weight="balanced").class_weights(Targets("labels", 2, (10, 0), 10), CPU)
    torch.testing.assert_close(always, torch.tensor([0.1, 10.0]))


def test_num_correct() -> None:
    """Samples are counted for classes, shares of their columns for labels."""
    logits = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [0.0, 1.0, 2.0]])
    counted = num_correct(logits, torch.tensor([0, 1, 1]))
    assert (counted.item(), counted.shape) == (2.0, ())
    one_logit = num_correct(torch.tensor([[1.0], [-1.0], [2.0]]), torch.tensor([1, 0, 0]))
    assert one_logit.item() == 2.0
    labels = num_correct(torch.tensor([[1.0, -1.0], [1.0, 1.0]]), torch.tensor([[1, 0], [0, 1]], dtype=torch.uint8))
    assert labels.item() == 1.5


def test_predictions() -> None:
    """Outputs become what the data holds: a class, each label, or the numbers as they are."""
    logits = torch.tensor([[2.0, -1.0], [-3.0, 1.0]])
    assert predictions(logits, "classes").tolist() == [0, 1]
    assert predictions(logits[:, :1], "classes").tolist() == [1, 0]
    assert predictions(logits, "labels").tolist() == [[1, 0], [0, 1]]
    assert predictions(logits, "numbers") is logits


def test_default_metrics() -> None:
    """Every kind of targets has something that people ask for first."""
    assert {kind: default_metrics(kind) for kind in typing.get_args(TargetKind)} == {
        "classes": ("accuracy",),
        "labels": ("accuracy",),
        "numbers": ("mae", "r2"),
        "own": (),
    }
