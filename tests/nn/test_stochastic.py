"""Random layers of ready-made networks are keyed."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.ops import StochasticDepth

from tunefast.nn.dropout import KeyedDropout, seed_dropout
from tunefast.nn.stochastic import KeyedStochasticDepth, key_randomness


def test_stochastic_depth() -> None:
    """Whole samples are left out at the rate, the others scaled so that the mean stays; evaluation changes nothing."""
    layer = KeyedStochasticDepth(0.25)
    inputs = torch.ones(20_000, 2, 3)
    assert layer.eval()(inputs) is inputs
    layer.generator = torch.Generator().manual_seed(3)
    samples = layer.train()(inputs).flatten(1)
    assert torch.equal(samples.amin(1), samples.amax(1))
    assert samples.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    assert float(samples.mean()) == pytest.approx(1.0, abs=0.02)


def test_stochastic_depth_needs_a_key() -> None:
    """It refuses to draw from torch's global generator."""
    with pytest.raises(RuntimeError, match="seed_dropout"):
        KeyedStochasticDepth(0.25)(torch.ones(2, 3))


def test_replaces() -> None:
    """Dropout and stochastic depth, nested too, become keyed at their rates, and draw from one generator."""
    model = nn.Sequential(nn.Dropout(0.5), nn.Sequential(nn.Linear(3, 3), StochasticDepth(0.25, "row")))
    key_randomness(model)
    inner = model.get_submodule("1.1")
    assert isinstance(model[0], KeyedDropout)
    assert isinstance(inner, KeyedStochasticDepth)
    assert (model[0].p, inner.p) == (0.5, 0.25)
    generator = torch.Generator()
    seed_dropout(model, generator)
    inputs = torch.randn(50, 3)
    before = torch.get_rng_state()
    draws = []
    for seed in (1, 1, 2):
        generator.manual_seed(seed)
        draws.append(model(inputs))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("layer", [nn.Dropout2d(0.1), nn.AlphaDropout(0.1), StochasticDepth(0.1, "batch")])
def test_refuses(layer: nn.Module) -> None:
    """A random layer without a keyed stand-in is refused, since its training could not be repeated."""
    with pytest.raises(ValueError, match="could not be repeated"):
        key_randomness(nn.Sequential(layer))


def test_leaves_idle_layers() -> None:
    """A random layer with a rate of zero draws nothing, so it may stay."""
    model = nn.Sequential(nn.Dropout2d(0.0))
    key_randomness(model)
    assert isinstance(model[0], nn.Dropout2d)
