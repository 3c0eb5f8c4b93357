"""Dropout by key."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tunefast.nn.dropout import KeyedDropout, seed_dropout


def _dropout(p: float, seed: int = 0) -> KeyedDropout:
    module = KeyedDropout(p)
    module.generator = torch.Generator().manual_seed(seed)
    return module


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_same_distribution_as_torch(p: float) -> None:
    """The share of zeros, and what the rest is scaled with, are those of ``torch.nn.Dropout``."""
    ones = torch.ones(200_000)
    ours, theirs = _dropout(p)(ones), nn.Dropout(p)(ones)
    for out in (ours, theirs):
        assert (out == 0).float().mean().item() == pytest.approx(p, abs=0.005)
    assert ours.unique().tolist() == pytest.approx(theirs.unique().tolist())


def test_elements_are_independent() -> None:
    """Neighbours and channels are dropped independently of each other."""
    out = _dropout(0.5)(torch.ones(100, 8, 6, 6)) == 0
    both = (out[:, 1:] & out[:, :-1]).float().mean().item()
    assert both == pytest.approx(0.25, abs=0.02)


@given(st.integers(0, 2**63 - 1), st.floats(0.05, 0.95))
def test_mask_is_a_function_of_the_seed(seed: int, p: float) -> None:
    """The generator's seed alone decides the mask: neither torch's global generator nor what was drawn before."""
    x = torch.randn(64, generator=torch.Generator().manual_seed(1))
    module = _dropout(p, seed)
    first, second = module(x), module(x)
    torch.rand(5)
    again = _dropout(p, seed)
    assert torch.equal(again(x), first)
    assert torch.equal(again(x), second)


def test_gradient() -> None:
    """What was dropped gets no gradient, and the rest is scaled as in the forward pass."""
    x = torch.ones(100, requires_grad=True)
    out = _dropout(0.5)(x)
    torch.autograd.backward(out.sum())
    assert x.grad is not None
    assert torch.equal(x.grad, out.detach())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_keeps_format(dtype: torch.dtype) -> None:
    """The output has the input's format and shape, in half precision too."""
    x = torch.ones(4, 3, 5, 5, dtype=dtype).contiguous(memory_format=torch.channels_last)
    out = _dropout(0.5)(x)
    assert (out.dtype, out.shape) == (dtype, x.shape)
    assert out.is_contiguous(memory_format=torch.channels_last)


def test_identity_in_evaluation() -> None:
    """In evaluation, and at a rate of 0, the input passes as it is, without a generator."""
    x = torch.randn(10)
    assert KeyedDropout(0.5).eval()(x) is x
    assert KeyedDropout(0.0)(x) is x


def test_never_falls_back_to_the_global_generator() -> None:
    """Without a generator it refuses to train."""
    with pytest.raises(RuntimeError, match="seed_dropout"):
        KeyedDropout(0.5)(torch.ones(3))


def test_seed_dropout() -> None:
    """All dropouts of a model share the generator, however deep they stand, and torch's global one is left alone."""
    model = nn.Sequential(KeyedDropout(0.5), nn.Sequential(nn.ReLU(), KeyedDropout(0.5)))
    before = torch.get_rng_state()
    seed_dropout(model, torch.Generator().manual_seed(3))
    first = model(torch.ones(50))
    seed_dropout(model, torch.Generator().manual_seed(3))
    assert torch.equal(model(torch.ones(50)), first)
    assert torch.equal(torch.get_rng_state(), before)


def test_printed_with_its_rate() -> None:
    """A printed model shows the rate."""
    assert str(KeyedDropout(0.25)) == "KeyedDropout(p=0.25)"
