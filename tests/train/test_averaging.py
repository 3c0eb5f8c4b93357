"""Averaged weights are those of torch, and they are what counts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tests.train.driving import differing, drive, lane, recipe, weights
from tunefast.nn.network import Network
from tunefast.recipe.regularize import Averaging
from tunefast.spec.progress import Answer, EpochReport, Verdict
from tunefast.train.averaging import Average

CNN: dict[str, Any] = {"name": "small_cnn", "width": 4, "dropout": 0.2}


def _moved(network: Network, step: int) -> None:
    """Change all weights and statistics as a step might."""
    generator = torch.Generator().manual_seed(step)
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.add_(torch.randn(value.shape, generator=generator))
            else:
                value.add_(1)


def test_equal_to_torch() -> None:
    """From the end of its warm-up on the average is, step by step, that of torch's `AveragedModel`."""
    settings = Averaging(decay=0.8)
    network = lane(model=CNN).network
    average = Average(network, settings)
    steps = 40
    for step in range(steps):
        _moved(network, step)
        average.update(step)
    assert settings.decay_at(steps) == 0.8
    blend = get_ema_multi_avg_fn(0.8)  # type: ignore[no-untyped-call]
    reference = AveragedModel(network, multi_avg_fn=blend, use_buffers=True)
    reference.module.load_state_dict(average.network.state_dict())
    reference.n_averaged.fill_(steps)
    for step in range(steps, steps + 20):
        _moved(network, step)
        average.update(step)
        reference.update_parameters(network)
        for name, value in average.network.state_dict().items():
            wanted = reference.module.state_dict()[name]
            if value.is_floating_point():
                torch.testing.assert_close(value, wanted, atol=1e-6, rtol=1e-6)


def test_warm_up_forgets_the_untrained_weights() -> None:
    """Early steps are averaged over few steps, so that the start soon has no share in the average."""
    network = lane(model=CNN).network
    average = Average(network, Averaging(decay=0.999))
    start = weights(network)
    with torch.no_grad():
        for value in network.parameters():
            value.add_(1.0)
    for step in range(20):
        average.update(step)
    for name, value in average.network.named_parameters():
        assert ((value - start[name]) > 0.999).all()


def test_counts_are_copied() -> None:
    """What is no real number, such as batch norm's count, is that of the network."""
    network = lane(model=CNN).network
    average = Average(network, Averaging())
    for step in range(3):
        _moved(network, step)
        average.update(step)
    counts = {name: value for name, value in weights(network).items() if not value.is_floating_point()}
    assert counts
    assert all(torch.equal(weights(average.network)[name], value) for name, value in counts.items())


def test_apart_from_the_network() -> None:
    """The average shares no memory with the network, and gets no gradient."""
    trained = lane(model=CNN, averaging={"decay": 0.9})
    assert trained.average is not None
    mine = {value.data_ptr() for value in trained.network.state_dict().values()}
    assert not mine & {value.data_ptr() for value in trained.average.network.state_dict().values()}
    assert not any(value.requires_grad for value in trained.average.network.parameters())
    trained.train_epoch(1)
    assert all(value.grad is None for value in trained.average.network.parameters())


def test_training_is_as_without() -> None:
    """The average looks on: the network that is trained is bit for bit what it would have been."""
    with_average, without = lane(model=CNN, averaging={"decay": 0.9}), lane(model=CNN)
    assert with_average.train_epoch(1) == without.train_epoch(1)
    assert not differing(weights(with_average.network), weights(without.network))


def test_evaluated_and_kept() -> None:
    """The averaged weights are evaluated, kept and returned, and not those that are trained."""
    trained = lane(model=CNN, averaging={"decay": 0.9}, epochs=3)
    trained.train_epoch(1)
    assert trained.average is not None
    averaged, scores = weights(trained.average.network), trained.evaluate()
    plain = lane(model=CNN)
    for state, equal in ((averaged, True), (weights(trained.network), False)):
        plain.network.load_state_dict(state)
        assert (plain.evaluate() == scores) is equal
    trained.keep_weights()
    trained.train_epoch(2)
    assert differing(weights(trained.average.network), averaged)
    assert not differing(weights(trained.result()), averaged)


@pytest.mark.parametrize("keep", [0, 2])
def test_what_comes_out(keep: int) -> None:
    """The network that comes out of a training is the average, of the kept epoch if one was kept."""
    made = recipe(model=CNN, averaging={"decay": 0.9}, epochs=3)

    def keeping(report: EpochReport) -> Answer:
        return Answer(verdict=Verdict.CONTINUE, keep=report.epoch == keep)

    reports, network = drive(made, driver=keeping)
    judged = lane(model=CNN)
    judged.network.load_state_dict(network.state_dict())
    scores = {f"val_{name}": value for name, value in judged.evaluate().items()}
    assert scores.items() <= reports[(keep or 3) - 1].metrics.items()
