"""Mixup and cutmix against torchvision's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchvision.transforms.v2 import CutMix, MixUp

from tunefast.nn.mixing import cutmix_weight, mix, mixup_weight, outside_box

NUM_CLASSES = 4
IMAGES = (6, 3, 10, 7)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _batch(*shape: int, channels_last: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Samples, their soft targets, and the partners that torchvision takes."""
    inputs = torch.randn(shape, generator=_generator(1))
    targets = torch.softmax(torch.randn(shape[0], NUM_CLASSES, generator=_generator(2)), dim=1)
    partner = torch.arange(shape[0]).roll(1)
    return inputs.contiguous(memory_format=torch.channels_last) if channels_last else inputs, targets, partner


@pytest.mark.parametrize("channels_last", [False, True])
@given(own=st.floats(0, 1, width=32))
def test_mixup_equals_torchvisions(channels_last: bool, own: float) -> None:
    """The same share and partners give torchvision's samples and targets, in either memory format."""
    inputs, targets, partner = _batch(*IMAGES, channels_last=channels_last)
    twin: Any = MixUp(num_classes=NUM_CLASSES)
    params = {"labels": targets, "lam": own, "batch_size": len(inputs)}
    ours = mix(inputs, targets, torch.tensor(own), partner)
    torch.testing.assert_close(ours[0], twin.transform(inputs, params))
    torch.testing.assert_close(ours[1], twin.transform(targets, params))
    assert ours[0].stride() == inputs.stride()


@pytest.mark.parametrize("channels_last", [False, True])
@given(seed=st.integers(0, 10_000))
def test_cutmix_equals_torchvisions(channels_last: bool, seed: int) -> None:
    """The same share, centre and partners give torchvision's boxes to the pixel, and its targets."""
    inputs, targets, partner = _batch(*IMAGES, channels_last=channels_last)
    height, width = inputs.shape[2:]
    twin: Any = CutMix(num_classes=NUM_CLASSES)
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(seed)
        own = twin._dist.sample(()).squeeze()
        column, row = torch.randint(width, ()), torch.randint(height, ())
        torch.default_generator.manual_seed(seed)
        params = {"labels": targets, "batch_size": len(inputs), **twin.make_params([inputs])}
    ours = mix(inputs, targets, outside_box(own, row, column, height, width), partner)
    assert torch.equal(ours[0], twin.transform(inputs, params))
    torch.testing.assert_close(ours[1], twin.transform(targets, params))
    assert ours[0].stride() == inputs.stride()


@pytest.mark.parametrize("shape", [(5, 7), (5, 4, 3), (1, 7), (1, 1, 4, 4)])
def test_mixup_takes_any_samples(shape: tuple[int, ...]) -> None:
    """Tables and sequences are mixed too; a batch of one is mixed with itself. Arguments stay as they are."""
    inputs, targets, partner = _batch(*shape)
    before = inputs.clone(), targets.clone()
    mixed, soft = mix(inputs, targets, torch.tensor(0.25), partner)
    torch.testing.assert_close(mixed, 0.25 * inputs + 0.75 * inputs[partner])
    torch.testing.assert_close(soft, 0.25 * targets + 0.75 * targets[partner])
    assert torch.equal(inputs, before[0])
    assert torch.equal(targets, before[1])


def test_any_partners() -> None:
    """Partners are those that are named, in any order."""
    inputs, targets, _ = _batch(*IMAGES, channels_last=True)
    partner = torch.tensor([3, 3, 0, 5, 1, 4])
    mixed, soft = mix(inputs, targets, torch.tensor(0.0), partner)
    assert torch.equal(mixed, inputs[partner])
    assert torch.equal(soft, targets[partner])


@pytest.mark.parametrize("alpha", [0.1, 0.4, 1.0, 2.5, 20.0])
def test_shares_follow_the_beta_distribution(alpha: float) -> None:
    """The closed form draws from Beta(alpha, alpha) as torch's rejection sampler does."""
    generator, edges = _generator(), torch.tensor([0.01, 0.1, 0.3, 0.45, 0.5, 0.55, 0.7, 0.9, 0.99])
    draws = torch.stack([mixup_weight(alpha, generator) for _ in range(6000)])
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(0)
        theirs = torch.distributions.Beta(alpha, alpha).sample(torch.Size([200_000])).contiguous()
    shares = [torch.bucketize(values, edges).bincount(minlength=10) / len(values) for values in (draws, theirs)]
    torch.testing.assert_close(*shares, rtol=0, atol=0.025)


@given(st.floats(1e-6, 1e6), st.integers(0, 2**63 - 1))
def test_shares_are_shares_at_any_alpha(alpha: float, seed: int) -> None:
    """Neither tiny nor huge exponents leave [0, 1] or give NaN."""
    share = mixup_weight(alpha, _generator(seed)).item()
    assert 0 <= share <= 1


def test_boxes_are_where_torchvision_has_them() -> None:
    """Each pixel is pasted over as often as with torchvision, the border's more seldom."""
    generator, num_draws, size = _generator(), 5000, 8
    ours = sum(1 - cutmix_weight(1.0, size, size, generator) for _ in range(num_draws))
    theirs = torch.zeros(size, size)
    twin: Any = CutMix(num_classes=NUM_CLASSES)
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(0)
        for _ in range(num_draws):
            left, top, right, bottom = twin.make_params([torch.zeros(1, 1, size, size)])["box"]
            theirs[top:bottom, left:right] += 1
    torch.testing.assert_close(ours / num_draws, theirs / num_draws, rtol=0, atol=0.035)


def test_the_generator_alone_decides() -> None:
    """Equal seeds give equal weights whatever was drawn globally, others do not; global draws stay."""
    state = torch.get_rng_state()
    first = cutmix_weight(1.0, 9, 9, _generator(1))
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    assert torch.equal(cutmix_weight(1.0, 9, 9, _generator(1)), first)
    assert len({mixup_weight(0.4, _generator(seed)).item() for seed in range(20)}) == 20


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_nothing_waits_for_the_device() -> None:
    """Draws and mixtures run on a GPU without a synchronisation."""
    inputs, targets, partner = (value.cuda() for value in _batch(*IMAGES, channels_last=True))
    generator = torch.Generator("cuda").manual_seed(0)
    torch.cuda.set_sync_debug_mode("error")
    height, width = inputs.shape[2:]
    mixed, soft = mix(inputs, targets, cutmix_weight(1.0, height, width, generator), partner)
    mixed, soft = mix(mixed, soft, mixup_weight(1.0, generator), partner)
    torch.cuda.set_sync_debug_mode("default")
    assert mixed.isfinite().all()
    torch.testing.assert_close(soft.sum(dim=1), torch.ones(len(soft), device="cuda"))
