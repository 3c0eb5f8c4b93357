"""Which weights move, how fast, and which of them decay."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.train.driving import batch_of, differing, lane, largest_difference, weights
from tunefast.train.lane import Lane
from tunefast.train.parameters import is_norm_or_bias, parameter_groups, penalty, trainable

BATCH_NORM: dict[str, Any] = {"name": "mlp", "width": 16, "batch_norm": True}
NORMAL: dict[str, Any] = {"model": {"name": "small_cnn", "width": 4, "dropout": 0.1}}


def _step(trained: Lane, epoch: int = 1) -> None:
    trained._set_schedule(0)
    trained._step((batch_of(trained, 64),), trainable(trained.network), epoch, 0)


def test_every_parameter_is_in_one_group() -> None:
    """No weight is left out or moved twice, frozen ones included."""
    trained = lane(**NORMAL, transfer={"freeze": "backbone", "unfreeze_epoch": 2, "backbone_lr_factor": 0.1})
    grouped = [weight for group in trained.optimizer.param_groups for weight in group["params"]]
    assert len(grouped) == len({id(weight) for weight in grouped})
    assert {id(weight) for weight in grouped} == {id(weight) for weight in trained.network.parameters()}


def test_backbone_rate() -> None:
    """The backbone's rate is a share of the head's, and both follow the batch and the schedule."""
    trained = lane(
        optimizer={"name": "sgd", "lr": 0.2},
        transfer={"backbone_lr_factor": 0.25},
        lr_scaling={"rule": "linear", "base_batch_size": 32},
        batch_size=64,
        schedule={"name": "cosine"},
    )
    heads = {id(weight) for weight in trained.network.head.parameters()}
    for factor, step in ((1.0, 0), (0.5, trained.horizon.num_steps // 2)):
        trained._set_schedule(step)
        for group in trained.optimizer.param_groups:
            is_head = {id(weight) in heads for weight in group["params"]}
            assert len(is_head) == 1
            share = 1.0 if is_head.pop() else 0.25
            assert group["lr"] == pytest.approx(0.2 * 2 * share * factor, rel=0.1)


def test_biases_and_norms_do_not_decay() -> None:
    """With decay_norm_and_bias off, only matrices and kernels are pulled to zero; on, all are."""
    for decays in (True, False):
        optimizer = {"name": "adamw", "weight_decay": 0.1, "decay_norm_and_bias": decays}
        trained = lane(model=BATCH_NORM, optimizer=optimizer)
        for group in trained.optimizer.param_groups:
            vectors = {is_norm_or_bias(weight) for weight in group["params"]}
            assert group["weight_decay"] == (0.1 if decays or vectors == {False} else 0.0)
            assert decays or len(vectors) == 1


def test_what_decays_without_a_gradient() -> None:
    """In a step with gradients of zero, weights shrink, and exempt biases and norms stay bit for bit."""
    optimizer = {"name": "adamw", "lr": 0.1, "weight_decay": 0.5, "decay_norm_and_bias": False}
    trained = lane(model=BATCH_NORM, optimizer=optimizer)
    before = weights(trained.network)
    for parameter in trained.network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    trained.optimizer.step()
    for name, parameter in trained.network.named_parameters():
        expected = before[name] if is_norm_or_bias(parameter) else before[name] * (1 - 0.1 * 0.5)
        torch.testing.assert_close(parameter.detach(), expected, atol=0, rtol=1e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_l2_is_weight_decay(momentum: float) -> None:
    """With SGD, the penalty and a weight decay that exempts biases and norms are one and the same."""
    sgd: dict[str, Any] = {"name": "sgd", "lr": 0.1, "momentum": momentum, "decay_norm_and_bias": False}
    penalised = lane(**NORMAL, optimizer=sgd, penalty={"l2": 0.02}, accumulation_steps=2)
    decayed = lane(**NORMAL, optimizer={**sgd, "weight_decay": 0.02}, accumulation_steps=2)
    plain = lane(**NORMAL, optimizer=sgd, accumulation_steps=2)
    for trained in (penalised, decayed, plain):
        trained.train_epoch(1)
    assert largest_difference(penalised, decayed) < 1e-5
    assert largest_difference(penalised, plain) > 1e-3


def test_one_step_with_l2() -> None:
    """The same in a single step, to the last bits."""
    sgd: dict[str, Any] = {"name": "sgd", "lr": 0.5, "decay_norm_and_bias": False}
    penalised = lane(optimizer=sgd, penalty={"l2": 0.1})
    decayed = lane(optimizer={**sgd, "weight_decay": 0.1})
    _step(penalised)
    _step(decayed)
    assert largest_difference(penalised, decayed) < 1e-7


def test_l1_pulls_by_a_constant() -> None:
    """The gradient of the L1 penalty is its factor with the weight's sign, and nothing for biases and norms."""
    network = lane(model=BATCH_NORM).network
    total = penalty(trainable(network), 0.3, 0.0)
    assert total is not None
    torch.autograd.backward(total)
    for parameter in network.parameters():
        if is_norm_or_bias(parameter):
            assert parameter.grad is None
        else:
            torch.testing.assert_close(parameter.grad, 0.3 * parameter.detach().sign())


def test_no_penalty_costs_nothing() -> None:
    """Without a factor, or without weights that are penalised, nothing is added to the loss."""
    network = lane(model=BATCH_NORM).network
    assert penalty(trainable(network), 0.0, 0.0) is None
    assert penalty([weight for weight in network.parameters() if is_norm_or_bias(weight)], 0.1, 0.1) is None


def test_penalty_is_not_in_the_reported_loss() -> None:
    """The reported loss is that of the data, so that trials with other penalties compare."""
    still: dict[str, Any] = {"optimizer": {"name": "sgd", "lr": 1e-12}, "accumulation_steps": 3}
    penalised, plain = lane(**still, penalty={"l1": 1.0, "l2": 1.0}).train_epoch(1), lane(**still).train_epoch(1)
    assert penalised.loss == pytest.approx(plain.loss, rel=1e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "adagrad", "rmsprop", "muon"])
def test_frozen_weights_stay(optimizer: str) -> None:
    """Frozen tensors are bit-equal after training: neither decay, momentum, penalty nor batch statistics move them."""
    options: dict[str, Any] = {"momentum": 0.9} if optimizer in ("sgd", "rmsprop") else {}
    trained = lane(
        model={"name": "small_cnn", "width": 4, "depth": 2, "dropout": 0.2},
        optimizer={"name": optimizer, "lr": 0.01, "weight_decay": 0.1, **options},
        transfer={"freeze": "blocks", "train_blocks": 1},
        penalty={"l1": 0.01, "l2": 0.01},
        augment={"flip": "random"},
        epochs=3,
    )
    before = weights(trained.network)
    for epoch in (1, 2, 3):
        trained.train_epoch(epoch)
    changed = set(differing(weights(trained.network), before))
    first, last = trained.network.blocks()
    inside = {name for name, value in trained.network.state_dict(keep_vars=True).items()
              if any(value is own for own in first.state_dict(keep_vars=True).values())}  # fmt: skip
    assert inside
    assert not changed & inside
    assert changed == before.keys() - inside
    assert all(parameter.requires_grad for parameter in last.parameters())


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "adagrad", "rmsprop", "muon"])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_thawed_weights_move(optimizer: str, precision: str) -> None:
    """From the epoch of thawing on every tensor trains, with momentum and batch norm too; before it none moves."""
    options: dict[str, Any] = {"momentum": 0.9} if optimizer in ("sgd", "rmsprop") else {}
    trained = lane(
        model={"name": "small_cnn", "width": 4},
        optimizer={"name": optimizer, "lr": 0.01, "weight_decay": 0.01, **options},
        transfer={"freeze": "backbone", "unfreeze_epoch": 3, "backbone_lr_factor": 0.5},
        precision=precision,
        epochs=4,
    )
    backbone = trained.network.backbone
    before = weights(backbone)
    for epoch in (1, 2):
        trained.train_epoch(epoch)
    assert not differing(weights(backbone), before)
    for epoch in (3, 4):
        totals = trained.train_epoch(epoch)
    assert set(differing(weights(backbone), before)) == before.keys()
    assert totals.loss < 3


def test_momentum_starts_from_nothing() -> None:
    """A thawed weight's first step with momentum is the one that it would have taken without any steps before."""
    sgd: dict[str, Any] = {"name": "sgd", "lr": 0.1, "momentum": 0.9}
    thawed = lane(
        **NORMAL, optimizer=sgd, transfer={"freeze": "backbone", "unfreeze_epoch": 2}, epochs=2, batch_size=5000
    )
    thawed.train_epoch(1)
    before = weights(thawed.network.backbone)
    thawed.train_epoch(2)
    state = thawed.optimizer.state
    for name, parameter in thawed.network.backbone.named_parameters():
        step = before[name] - parameter.detach()
        torch.testing.assert_close(step, 0.1 * state[parameter]["momentum_buffer"], atol=1e-6, rtol=1e-4)


def test_groups_without_a_backbone_that_has_weights() -> None:
    """A network whose weights are all in its head has groups of those alone."""
    trained = lane(model={"name": "mlp", "depth": 0})
    groups = parameter_groups(trained.network, trained.recipe)
    assert [group["head"] for group in groups] == [True]
