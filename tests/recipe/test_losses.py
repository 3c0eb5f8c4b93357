"""Losses against torch's own functions."""

from __future__ import annotations

import typing
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from torch import Tensor
from torch.nn import functional
from torchvision.ops import sigmoid_focal_loss

from tests.recipe.targets import CLASSES, LABELS, NUMBERS, SIZE, TWO_CLASSES, outputs, raw
from tunefast.recipe.data import Targets
from tunefast.recipe.losses import (
    BinaryCrossEntropy,
    BinaryFocal,
    CrossEntropy,
    Focal,
    Huber,
    Loss,
    LossPart,
    Mse,
    OwnLoss,
)

CPU = torch.device("cpu")
PARTS: list[type[LossPart]] = [part for part in typing.get_args(typing.get_args(Loss)[0]) if part is not OwnLoss]


def loss_of(part: LossPart, targets: Targets, given: Tensor, weights: Tensor | None = None) -> Tensor:
    """The loss of one batch, as training computes it."""
    return part.per_sample(given, part.encode(raw(targets), targets), weights).mean()


def fitting(part: type[LossPart]) -> list[Targets]:
    """Targets that a loss takes."""
    return [targets for targets in (CLASSES, TWO_CLASSES, LABELS, NUMBERS) if not refusal(part(), targets)]


def refusal(part: LossPart, targets: Targets) -> str:
    """What `check` says."""
    try:
        part.check(targets)
    except ValueError as error:
        return str(error)
    return ""


FITTING = [(part, targets) for part in PARTS for targets in fitting(part)]


def each(pairs: list[tuple[type[LossPart], Targets]]) -> pytest.MarkDecorator:
    """Run a test over losses with targets that they take."""
    names = [f"{part.__name__} {targets.size} {targets.kind}" for part, targets in pairs]
    return pytest.mark.parametrize(("part", "targets"), pairs, ids=names)


each_fitting = each(FITTING)
each_mixable = each([(part, targets) for part, targets in FITTING if targets.kind != "numbers"])


def test_every_kind_of_targets_has_losses() -> None:
    """No data set is left without a loss, and each loss is for what it says."""
    accepted = {part.__name__: [(targets.kind, targets.size) for targets in fitting(part)] for part in PARTS}
    softmax, sigmoid = [("classes", 4), ("classes", 2)], [("classes", 2), ("labels", 3)]
    assert accepted == {
        "CrossEntropy": softmax,
        "BinaryCrossEntropy": sigmoid,
        "Focal": softmax,
        "BinaryFocal": sigmoid,
        "Mse": [("numbers", 2)],
        "Huber": [("numbers", 2)],
    }


@pytest.mark.parametrize(
    ("part", "targets", "said"),
    [
        (CrossEntropy(), NUMBERS, "'cross_entropy' is for classes, but the targets of the data are numbers (size 2)"),
        (CrossEntropy(), LABELS, "for labels there is binary_cross_entropy or binary_focal"),
        (Mse(), CLASSES, "'mse' is for numbers, but the targets of the data are classes (size 4)"),
        (BinaryFocal(), CLASSES, "'binary_focal' is for labels, or for 2 classes, but the data has 4 classes"),
        (Focal(class_weight=(1.0, 2.0)), CLASSES, "class_weight = [1.0, 2.0] does not fit; needed are 4 numbers"),
        (BinaryCrossEntropy(class_weight=(1.0, 2.0)), TWO_CLASSES, "needed are 1 numbers"),
        (CrossEntropy(class_weight=(0.0, 0.0)), TWO_CLASSES, "not all of them 0"),
    ],
)
def test_check_names_the_misfit(part: LossPart, targets: Targets, said: str) -> None:
    """The message has the loss, what the data is, and what would fit."""
    assert said in refusal(part, targets)


@each_fitting
def test_shapes(part: type[LossPart], targets: Targets) -> None:
    """Encoded targets and losses are float32, one column an output and one value a sample, for half outputs too."""
    made = part()
    encoded = made.encode(raw(targets), targets)
    assert (encoded.shape, encoded.dtype) == ((SIZE, made.num_outputs(targets)), torch.float32)
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        losses = made.per_sample(outputs(made.num_outputs(targets)).to(dtype), encoded, None)
        assert (losses.shape, losses.dtype) == ((SIZE,), torch.float32)
        assert (losses >= 0).all()


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
def test_cross_entropy_equals_torch(smoothing: float) -> None:
    """Without weights it is torch's loss of class indices, smoothed as torch smooths them."""
    given = outputs(4)
    expected = functional.cross_entropy(given, raw(CLASSES), label_smoothing=smoothing)
    torch.testing.assert_close(loss_of(CrossEntropy(label_smoothing=smoothing), CLASSES, given), expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_weighted_cross_entropy_equals_torch(smoothing: float) -> None:
    """With weights it is torch's loss of class probabilities: their mean does not divide by the weights' sum."""
    part = CrossEntropy(label_smoothing=smoothing, class_weight=(1.0, 0.5, 3.0, 0.0))
    weights = part.class_weights(CLASSES, CPU)
    given, hot = outputs(4), functional.one_hot(raw(CLASSES), 4).float()
    expected = functional.cross_entropy(given, hot, weight=weights, label_smoothing=smoothing)
    torch.testing.assert_close(loss_of(part, CLASSES, given, weights), expected)
    assert not torch.isclose(expected, functional.cross_entropy(given, raw(CLASSES), weight=weights))


@pytest.mark.parametrize("targets", [LABELS, TWO_CLASSES], ids=["labels", "two classes"])
@pytest.mark.parametrize("class_weight", ["none", "balanced"])
def test_binary_cross_entropy_equals_torch(targets: Targets, class_weight: Any) -> None:
    """It is torch's loss with logits; weights are its ``pos_weight``."""
    part = BinaryCrossEntropy(class_weight=class_weight)
    weights = part.class_weights(targets, CPU)
    given = outputs(part.num_outputs(targets))
    wanted = raw(targets).reshape(SIZE, -1).float()
    expected = functional.binary_cross_entropy_with_logits(given, wanted, pos_weight=weights)
    torch.testing.assert_close(loss_of(part, targets, given, weights), expected)


def test_one_logit_equals_a_softmax_over_two() -> None:
    """Two classes learn the same from one output as from two whose first is 0, smoothing included."""
    given = outputs(1)
    two = torch.cat([torch.zeros_like(given), given], dim=1)
    for smoothing in (0.0, 0.3):
        torch.testing.assert_close(
            loss_of(BinaryCrossEntropy(label_smoothing=smoothing), TWO_CLASSES, given),
            loss_of(CrossEntropy(label_smoothing=smoothing), TWO_CLASSES, two),
        )


def test_losses_of_numbers_equal_torch() -> None:
    """They are torch's, averaged over columns and samples."""
    given, wanted = outputs(2), raw(NUMBERS)
    torch.testing.assert_close(loss_of(Mse(), NUMBERS, given), functional.mse_loss(given, wanted))
    for delta in (0.1, 1.0, 5.0):
        expected = functional.huber_loss(given, wanted, delta=delta)
        torch.testing.assert_close(loss_of(Huber(delta=delta), NUMBERS, given), expected)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
def test_focal_equals_its_formula(gamma: float) -> None:
    """Over a softmax it is ``-w (1 - p)^gamma log p`` of the true class's probability."""
    part = Focal(gamma=gamma, class_weight="balanced")
    weights = part.class_weights(CLASSES, CPU)
    assert weights is not None
    given, wanted = outputs(4), raw(CLASSES)
    chances = given.softmax(dim=1)[torch.arange(SIZE), wanted]
    expected = (weights[wanted] * (1 - chances).pow(gamma) * -chances.log()).mean()
    torch.testing.assert_close(loss_of(part, CLASSES, given, weights), expected)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
def test_binary_focal_equals_torchvision(gamma: float) -> None:
    """Over sigmoids it is torchvision's loss, whose alpha is the positives' weight over the sum of both."""
    given, wanted = outputs(3), raw(LABELS)
    expected = sigmoid_focal_loss(given, wanted.float(), alpha=-1, gamma=gamma, reduction="mean")
    torch.testing.assert_close(loss_of(BinaryFocal(gamma=gamma), LABELS, given), expected)
    quarter = sigmoid_focal_loss(given, wanted.float(), alpha=0.25, gamma=gamma, reduction="mean") / 0.75
    weights = torch.full((3,), 1 / 3)
    torch.testing.assert_close(loss_of(BinaryFocal(gamma=gamma), LABELS, given, weights), quarter)


def test_focal_without_gamma_is_cross_entropy() -> None:
    """A gamma of 0 fades nothing, smoothing included."""
    for part, plain, targets in (
        (Focal(gamma=0.0, label_smoothing=0.1), CrossEntropy(label_smoothing=0.1), CLASSES),
        (BinaryFocal(gamma=0.0, label_smoothing=0.1), BinaryCrossEntropy(label_smoothing=0.1), LABELS),
    ):
        given = outputs(targets.size)
        torch.testing.assert_close(loss_of(part, targets, given), loss_of(plain, targets, given))


@each_fitting
@pytest.mark.parametrize("scale", [0.0, 100.0, 1e4])
def test_slopes_are_finite(part: type[LossPart], targets: Targets, scale: float) -> None:
    """However sure a model is, wrong or right, the loss has a slope that it can follow."""
    options = {"gamma": 0.5} if "gamma" in part.model_fields else {}
    made = part(**options)
    given = (outputs(made.num_outputs(targets)) * scale).requires_grad_()
    loss = loss_of(made, targets, given)
    torch.autograd.backward(loss)
    assert given.grad is not None
    assert torch.isfinite(loss)
    assert torch.isfinite(given.grad).all()


@each_mixable
@given(share=st.floats(0, 1), seed=st.integers(0, 100), smoothing=st.sampled_from([0.0, 0.1]))
def test_mixed_targets_cost_the_mixture(
    part: type[LossPart], targets: Targets, share: float, seed: int, smoothing: float
) -> None:
    """For classes and labels the loss is linear in the encoded target, which is what mixup assumes."""
    made = part.model_validate({"label_smoothing": smoothing})
    one, other = made.encode(raw(targets, seed), targets), made.encode(raw(targets, seed + 1), targets)
    given = outputs(made.num_outputs(targets), seed)
    weights = torch.rand(made.num_outputs(targets), generator=torch.Generator().manual_seed(seed))
    mixed = made.per_sample(given, share * one + (1 - share) * other, weights)
    apart = share * made.per_sample(given, one, weights) + (1 - share) * made.per_sample(given, other, weights)
    torch.testing.assert_close(mixed, apart, rtol=1e-4, atol=1e-5)


@each_fitting
def test_no_weights_by_default(part: type[LossPart], targets: Targets) -> None:
    """Classes weigh alike unless a recipe says otherwise."""
    assert part().class_weights(targets, CPU) is None


@pytest.mark.parametrize(
    "options",
    [
        {"label_smoothing": 1.0},
        {"label_smoothing": -0.1},
        {"class_weight": "even"},
        {"class_weight": [-1.0]},
        {"class_weight": [float("inf")]},
    ],
)
def test_options_are_checked(options: dict[str, Any]) -> None:
    """Settings that mean nothing are refused before any training."""
    with pytest.raises(ValidationError):
        CrossEntropy.model_validate(options)


def test_weights_come_from_a_spec() -> None:
    """A list in a spec is one number a class."""
    adapter: TypeAdapter[Any] = TypeAdapter(Loss)
    assert adapter.validate_python({"name": "focal", "class_weight": [1, 2.5]}) == Focal(class_weight=(1.0, 2.5))
