"""Techniques that act on a whole optimizer step: accumulation, clipping, scaled losses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tests.train.driving import batch_of, drive, lane, largest_difference, recipe, weights
from tunefast.train.lane import Lane
from tunefast.train.parameters import trainable

CNN: dict[str, Any] = {"name": "small_cnn", "width": 4, "batch_norm": False}
SGD: dict[str, Any] = {"name": "sgd", "lr": 0.1, "momentum": 0.9}

ADDITIVE: dict[str, dict[str, Any]] = {
    "momentum": {"optimizer": {**SGD, "nesterov": True, "weight_decay": 0.01}},
    "adam": {"optimizer": {"name": "adam", "lr": 0.001, "eps": 1e-3}},
    "penalty": {"penalty": {"l1": 1e-3, "l2": 1e-2}},
    "clipped norm": {"clipping": {"norm": 0.1}},
    "clipped values": {"clipping": {"norm": 0.2, "value": 0.01}},
    "smoothing": {"loss": {"name": "cross_entropy", "label_smoothing": 0.2, "class_weight": "balanced"}},
    "focal": {"loss": {"name": "focal"}},
    "average": {"averaging": {"decay": 0.9}},
    "schedule": {"schedule": {"name": "one_cycle"}},
    "scaled rate": {"lr_scaling": {"base_batch_size": 64}},
    "alternating flips": {"augment": {"flip": "alternating"}},
    "whole batches": {"drop_last": True},
    "frozen": {"transfer": {"freeze": "blocks", "train_blocks": 1}},
    "labels": {
        "data": {"name": "synthetic", "task": "labels"},
        "loss": {"name": "binary_cross_entropy", "class_weight": "balanced"},
        "model": {"name": "mlp", "width": 16},
    },
    "numbers": {
        "data": {"name": "synthetic", "task": "numbers"},
        "loss": {"name": "huber"},
        "model": {"name": "mlp", "width": 16},
    },
}
"""Techniques under which a step over small batches is one over their samples at once. Batch norm and what draws at
random for each batch are not among them."""


@pytest.mark.parametrize("technique", ADDITIVE)
def test_accumulation_equals_the_larger_batch(technique: str) -> None:
    """Three batches of 40 are one of 120, under every technique that does not look at a batch as a whole."""
    settings = {"model": CNN, "optimizer": SGD, "epochs": 2, **ADDITIVE[technique]}
    split, whole = lane(**settings, batch_size=40, accumulation_steps=3), lane(**settings, batch_size=120)
    if technique == "whole batches":
        assert len(whole.dataset.train) % 120 < 40, "both leave the same samples out"
    for epoch in (1, 2):
        mine, yours = split.train_epoch(epoch), whole.train_epoch(epoch)
        assert (mine.steps, mine.samples) == (yours.steps, yours.samples)
        assert mine.loss == pytest.approx(yours.loss, rel=1e-4)
    assert largest_difference(split, whole) < 2e-5
    if split.average is not None and whole.average is not None:
        assert split.evaluate()["loss"] == pytest.approx(whole.evaluate()["loss"], rel=1e-4)


def _gradients(trained: Lane) -> list[torch.Tensor]:
    """The gradient that the optimizer of `trained` gets in a step over two batches."""
    taken: list[torch.Tensor] = []
    batch = batch_of(trained, 96)
    group = tuple(type(batch)(*(tensor[part] for tensor in batch)) for part in (slice(64), slice(64, 96)))
    step = trained.optimizer.step

    def noting() -> None:
        taken.extend(_copied(parameter) for parameter in trainable(trained.network))
        step()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trained.optimizer, "step", noting)
        trained._step(group, trainable(trained.network), 1, 0)
    assert taken
    return taken


def _copied(parameter: nn.Parameter) -> torch.Tensor:
    assert parameter.grad is not None
    return parameter.grad.clone()


@pytest.mark.parametrize("clipping", [{"norm": 0.1}, {"value": 0.003}, {"norm": 0.02, "value": 0.003}, {"norm": 1e6}])
def test_clipping_is_that_of_torch(clipping: dict[str, float]) -> None:
    """The accumulated gradient is clipped once, by value and then by norm, as torch does."""
    plain = _gradients(lane(model=CNN))
    parameters = [nn.Parameter(torch.zeros_like(gradient)) for gradient in plain]
    for parameter, gradient in zip(parameters, plain, strict=True):
        parameter.grad = gradient
    if "value" in clipping:
        nn.utils.clip_grad_value_(parameters, clipping["value"])
    if "norm" in clipping:
        nn.utils.clip_grad_norm_(parameters, clipping["norm"])
    clipped = _gradients(lane(model=CNN, clipping=clipping))
    for parameter, gradient in zip(parameters, clipped, strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(gradient, parameter.grad, atol=1e-9, rtol=1e-6)


def test_clipping_sees_unscaled_gradients() -> None:
    """In fp16 the limit is on the gradient itself, and not on the one that was scaled up."""
    settings: dict[str, Any] = {"model": CNN, "clipping": {"norm": 0.1}}
    scaled = lane(precision="fp16", **settings)
    scaled.scaler.scale(torch.ones(()))
    scaled.scaler.update(2.0**8)
    norm = torch.stack([gradient.norm() for gradient in _gradients(scaled)]).norm()
    assert norm == pytest.approx(0.1, rel=1e-3)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adagrad", "rmsprop", "muon"])
@pytest.mark.parametrize("clipping", [{}, {"norm": 1.0}])
def test_overflow_is_skipped_and_counted(optimizer: str, clipping: dict[str, float]) -> None:
    """A step whose scaled gradients overflow leaves weights and buffers as they are, and the next ones count."""
    trained = lane(precision="fp16", optimizer={"name": optimizer}, clipping=clipping, averaging={"decay": 0.5})
    trained.scaler.scale(torch.ones(()))
    trained.scaler.update(2.0**30)
    before = weights(trained.network)
    totals = trained.train_epoch(1)
    assert 0 < totals.skipped_steps < trained.horizon.steps_per_epoch
    assert trained.scaler.get_scale() == 2.0 ** (30 - totals.skipped_steps)
    assert all(torch.isfinite(value).all() for value in weights(trained.network).values())
    assert any(not torch.equal(value, before[name]) for name, value in weights(trained.network).items())


def test_skipped_steps_are_reported() -> None:
    """A report says how many steps fp16 lost, and says nothing of it in the other precisions."""
    reports, _ = drive(recipe(precision="fp16", batch_size=16, optimizer={"name": "sgd", "lr": 0.01}))
    assert all(report.details["skipped_steps"] >= 0 for report in reports)
    for precision in ("fp32", "bf16"):
        assert all("skipped_steps" not in report.details for report in drive(recipe(precision=precision))[0])


def test_costs_are_reported_once() -> None:
    """The first report says how many parameters and operations the model has."""
    first, second = drive(recipe(model={"name": "mlp", "width": 32, "depth": 1}))[0]
    assert first.details["num_parameters"] == 64 * 32 + 32 + 32 * 10 + 10
    assert first.details["forward_flops"] == 2 * (64 * 32 + 32 * 10)
    assert "num_parameters" not in second.details


def test_plateau_lowers_the_rate() -> None:
    """A rate that adapts falls after epochs without improvement, for every group alike."""
    made = recipe(
        schedule={"name": "plateau", "monitor": "val_loss", "patience": 1, "factor": 0.5, "threshold": 0.99},
        epochs=6,
        transfer={"backbone_lr_factor": 0.5},
    )
    rates = [report.learning_rate or 0 for report in drive(made)[0]]
    assert rates[0] == pytest.approx(0.1)
    assert sorted(rates, reverse=True) == rates
    assert rates[-1] <= 0.1 * 0.5**2 * 1.001


def test_image_size_changes_the_model() -> None:
    """The model is built for images as they are scaled, and trains on them."""
    small, large = (lane(model={"name": "mlp", "depth": 0}, preprocess={"image_size": size}) for size in (4, 12))
    assert (small.input_shape, large.input_shape) == ((1, 4, 4), (1, 12, 12))
    assert large.details()["num_parameters"] == 144 * 10 + 10
    assert large.train_epoch(1).loss < 2.5


def test_compiled_trains_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """With compilation on it is the compiled network that trains, and evaluation sees its weights."""
    compiled: list[nn.Module] = []

    def compile_(module: nn.Module) -> nn.Module:
        compiled.append(module)
        return module

    monkeypatch.setattr(torch, "compile", compile_)
    eager, fast = lane(), lane(hardware={"compile": "on"})
    assert len(compiled) == 1
    assert compiled == [fast.network]
    assert eager.train_epoch(1) == fast.train_epoch(1)
    lane(hardware={"compile": "auto"})
    assert len(compiled) == 1
