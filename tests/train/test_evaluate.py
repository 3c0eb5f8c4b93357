"""Loss and metrics over samples that are not learnt from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from tests.train.driving import lane, weights
from tunefast.train import evaluate as module
from tunefast.train.evaluate import EVAL_BATCH_VALUES, eval_batch_size
from tunefast.train.lane import Lane


def _over(trained: Lane, count: int) -> None:
    """Let the first `count` training samples be the validation part."""
    part = trained.dataset.train
    trained.dataset = replace(trained.dataset, validation=replace(part, rows=part.rows[:count]))


@pytest.mark.parametrize("batch_size", [1000, 64])
def test_means_over_samples(batch_size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loss and accuracy are means over samples, however they are cut into batches, the last one smaller."""
    trained = lane()
    _over(trained, 150)
    raw, labels, _ = trained.dataset.train.take(torch.arange(150))
    logits = trained.network.eval()(trained.preparation.inputs(raw))
    monkeypatch.setattr(module, "EVAL_BATCH_SIZE", batch_size)
    assert trained.evaluate() == pytest.approx(
        {
            "loss": nn.functional.cross_entropy(logits, labels).item(),
            "accuracy": (logits.argmax(dim=1) == labels).float().mean().item(),
        },
        rel=1e-5,
    )


KINDS: dict[str, dict[str, Any]] = {
    "labels": {"data": {"name": "synthetic", "task": "labels"}, "loss": {"name": "binary_cross_entropy"}},
    "numbers": {"data": {"name": "synthetic", "task": "numbers"}, "loss": {"name": "mse"}, "metrics": ["rmse"]},
    "two classes": {"data": {"name": "sklearn", "set": "breast_cancer"}, "loss": {"name": "binary_cross_entropy"}},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_target(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same holds for labels, numbers and two classes: metrics see all samples at once, and no mean of means."""
    trained = lane(**KINDS[kind], epochs=1)
    trained.train_epoch(1)
    whole = trained.evaluate()
    assert set(whole) == {"loss", *trained.recipe.validated_metrics}
    monkeypatch.setattr(module, "EVAL_BATCH_SIZE", 7)
    assert trained.evaluate() == pytest.approx(whole, rel=1e-5)


def test_loss_is_plain() -> None:
    """Smoothing and class weights count in training only, so that trials which differ in them can be compared."""
    weights = [float(number) for number in range(1, 11)]
    plain = lane()
    for loss in ({"label_smoothing": 0.3}, {"class_weight": weights}, {"class_weight": "balanced"}):
        trained = lane(loss={"name": "cross_entropy", **loss})
        assert trained.evaluate() == plain.evaluate()


def test_nothing_is_learnt() -> None:
    """Dropout is off, batch norm's statistics and all weights stay as they are, and no gradient is kept."""
    trained = lane(model={"name": "mlp", "width": 16, "dropout": 0.5, "batch_norm": True}, averaging={})
    before = weights(trained.network)
    assert trained.evaluate() == trained.evaluate()
    assert trained.evaluate_test() == trained.evaluate_test()
    assert all(torch.equal(value, before[name]) for name, value in trained.network.state_dict().items())
    assert all(parameter.grad is None for parameter in trained.network.parameters())


def test_training_goes_on_as_if_not_evaluated() -> None:
    """Evaluation in between changes no step: the next epoch has dropout and batch norm on again."""
    settings: dict[str, Any] = {"model": {"name": "mlp", "width": 16, "dropout": 0.5, "batch_norm": True}, "epochs": 2}
    looked, blind = lane(**settings), lane(**settings)
    for epoch in (1, 2):
        looked.train_epoch(epoch)
        looked.evaluate()
        blind.train_epoch(epoch)
    assert all(torch.equal(value, weights(blind.network)[name]) for name, value in weights(looked.network).items())


def test_batches_of_large_samples_are_small() -> None:
    """Evaluation takes a thousand small samples at once, and of large images no more than memory holds."""
    part, preparation = lane().dataset.train, lane().preparation
    assert eval_batch_size(part, preparation) == 1000
    large = replace(part, inputs=torch.zeros(1, dtype=torch.uint8).expand(4, 224, 224, 3))
    assert eval_batch_size(large, preparation) == EVAL_BATCH_VALUES // (224 * 224 * 3)
    huge = replace(part, inputs=torch.zeros(1, dtype=torch.uint8).expand(4, 4096, 4096, 3))
    assert eval_batch_size(huge, preparation) == 1


def test_batches_of_images_that_are_scaled_up_are_small() -> None:
    """What counts is the size that the network sees: digits of 8 pixels are large images once they are scaled."""
    scaled = lane(model={"name": "small_cnn", "width": 2}, preprocess={"image_size": 512})
    assert eval_batch_size(scaled.dataset.train, scaled.preparation) == EVAL_BATCH_VALUES // 512**2
