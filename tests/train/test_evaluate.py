"""Loss and accuracy over samples that are not learnt from."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.train.driving import lane
from tunefast.train import evaluate as module
from tunefast.train.evaluate import evaluate


def test_means_over_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loss and accuracy are means over samples, however they are cut into batches, the last one smaller."""
    trained = lane()
    dataset = trained.dataset
    inputs, labels = dataset.inputs[:150], dataset.labels[:150]
    logits = trained.model.eval()(dataset.normalised(inputs))
    loss = nn.functional.cross_entropy(logits, labels).item()
    accuracy = (logits.argmax(dim=1) == labels).float().mean().item()
    for batch_size in (1000, 64):
        monkeypatch.setattr(module, "EVAL_BATCH_SIZE", batch_size)
        scores = evaluate(trained.model, dataset, inputs, labels, "fp32")
        assert tuple(scores) == pytest.approx((loss, accuracy), rel=1e-5)


def test_nothing_is_learnt() -> None:
    """Dropout is off, batch norm's statistics and all weights stay as they are, and no gradient is kept."""
    trained = lane(model={"name": "mlp", "width": 16, "dropout": 0.5, "batch_norm": True})
    before = {name: value.clone() for name, value in trained.model.state_dict().items()}
    dataset = trained.dataset
    first, second = (
        evaluate(trained.model, dataset, dataset.inputs[:100], dataset.labels[:100], "fp32") for _ in range(2)
    )
    assert first == second
    assert all(torch.equal(value, before[name]) for name, value in trained.model.state_dict().items())
    assert all(parameter.grad is None for parameter in trained.model.parameters())
