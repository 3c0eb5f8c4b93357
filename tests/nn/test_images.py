"""Batch operations on images against what torchvision does to one image at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchvision.transforms.v2 import functional

from tunefast.nn import images as batch

SHAPES = st.tuples(st.integers(1, 5), st.integers(2, 9), st.integers(2, 9), st.sampled_from([1, 3]))
SEEDS = st.integers(0, 2**63 - 1)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _images(*shape: int, seed: int = 1) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=_generator(seed))


def _channels_first(image: Tensor) -> Tensor:
    return image.permute(2, 0, 1)


def _channels_last(image: Tensor) -> Tensor:
    return image.permute(1, 2, 0)


def _positions(height: int, width: int, num_images: int) -> Tensor:
    """Images whose every pixel is its own number, from 1."""
    numbers = torch.arange(1, height * width + 1, dtype=torch.uint8).view(1, height, width, 1)
    return numbers.repeat(num_images, 1, 1, 1)


def _uniform(values: Tensor, count: int) -> bool:
    """Whether `values` in [0, count) look equally likely, by the chi-square test at six standard deviations."""
    observed = values.flatten().bincount(minlength=count).double()
    expected, freedom = values.numel() / count, count - 1
    statistic = ((observed - expected) ** 2).sum().item() / expected
    return statistic < freedom + 6 * math.sqrt(2 * freedom)


@given(SHAPES, st.data())
def test_flip_equals_torchvisions(shape: tuple[int, int, int, int], data: st.DataObject) -> None:
    """The chosen images, and no others, come out as torchvision mirrors them."""
    images = _images(*shape)
    chosen = torch.tensor(data.draw(st.lists(st.booleans(), min_size=shape[0], max_size=shape[0])))
    for image, mirrored, flipped in zip(images, batch.flip(images, chosen), chosen, strict=True):
        one = _channels_first(image)
        assert torch.equal(_channels_first(mirrored), functional.horizontal_flip(one) if flipped else one)


@given(SHAPES, st.data())
def test_zero_crop_equals_torchvisions(shape: tuple[int, int, int, int], data: st.DataObject) -> None:
    """At every offset the crop is the window that torchvision cuts out of the padded image."""
    padding = data.draw(st.integers(0, 4))
    _check_crop(shape, padding, data, padding_mode="constant")


@given(SHAPES, st.data())
def test_reflected_crop_equals_torchvisions(shape: tuple[int, int, int, int], data: st.DataObject) -> None:
    """With reflection too, up to the largest padding that an image has pixels for."""
    padding = data.draw(st.integers(0, min(shape[1:3]) - 1))
    _check_crop(shape, padding, data, padding_mode="reflect")


def _check_crop(shape: tuple[int, int, int, int], padding: int, data: st.DataObject, *, padding_mode: str) -> None:
    num_images, height, width, _ = shape
    offsets = st.lists(st.integers(0, 2 * padding), min_size=num_images, max_size=num_images)
    tops, lefts = data.draw(offsets), data.draw(offsets)
    images = _images(*shape)
    cropped = batch.crop(images, padding, torch.tensor(tops), torch.tensor(lefts), reflect=padding_mode == "reflect")
    for image, ours, top, left in zip(images, cropped, tops, lefts, strict=True):
        padded = functional.pad(_channels_first(image), [padding] * 4, padding_mode=padding_mode)
        assert torch.equal(_channels_first(ours), functional.crop(padded, top, left, height, width))


@pytest.mark.parametrize("reflect", [False, True])
@pytest.mark.parametrize("axes", [(0, 3, 2, 1), (0, 3, 1, 2)])
def test_crop_of_images_that_are_no_plain_memory(axes: tuple[int, ...], reflect: bool) -> None:
    """A view with any strides is cropped as its copy is."""
    images = _images(4, 6, 5, 7).permute(axes)
    tops, lefts = torch.tensor([0, 1, 2, 3]), torch.tensor([4, 3, 0, 1])
    cropped = batch.crop(images, 2, tops, lefts, reflect=reflect)
    assert torch.equal(cropped, batch.crop(images.contiguous(), 2, tops, lefts, reflect=reflect))


@given(SHAPES, st.integers(1, 9), st.data())
def test_cut_out_paints_a_clipped_square(shape: tuple[int, int, int, int], size: int, data: st.DataObject) -> None:
    """Every pixel is the fill's inside the square and the image's outside; the border cuts the square off."""
    num_images, height, width, channels = shape
    row, column = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    fill = torch.arange(7, 7 + channels, dtype=torch.uint8)
    images = _images(*shape)
    expected, black = images.clone(), images.clone()
    top, left = row - size // 2, column - size // 2
    for painted, colour in ((expected, fill), (black, torch.zeros_like(fill))):
        painted[:, max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)] = colour
    centre = torch.full((num_images,), row), torch.full((num_images,), column)
    assert torch.equal(batch.cut_out(images, size, *centre, fill), expected)
    assert torch.equal(batch.cut_out(images, size, *centre), black)


def test_half_of_the_images_are_flipped() -> None:
    """Random flips are fair, and independent from one image to the next."""
    images = _positions(1, 2, 40_000)
    flipped = batch.random_flip(images, _generator())[:, 0, 0, 0] == 2
    assert _uniform(flipped.long(), 2)
    assert _uniform(flipped[1:] * 2 + flipped[:-1].long(), 4)


def test_crop_offsets_are_uniform() -> None:
    """All (2p+1)^2 offsets are equally likely, as in torchvision's RandomCrop."""
    padding, side = 2, 5
    cropped = batch.random_crop(_positions(side, side, 50_000), padding, _generator())
    centre = cropped[:, padding, padding, 0].long() - 1
    assert _uniform(centre, side * side)


def test_cutout_centres_are_uniform() -> None:
    """The centre is any pixel with equal chance, so squares at the border are smaller: DeVries and Taylor's rule."""
    height, width = 4, 6
    out = batch.cutout(_positions(height, width, 50_000), 1, _generator())
    assert _uniform((out.flatten(1) == 0).long().argmax(dim=1), height * width)
    painted = (batch.cutout(_positions(height, width, 50_000), 3, _generator()) == 0).flatten(1).sum(dim=1)
    expected = (3 - 2 / height) * (3 - 2 / width)
    assert painted.float().mean().item() == pytest.approx(expected, rel=0.01)


@given(SEEDS, SEEDS)
def test_row_coins_are_a_function_of_row_and_seed(seed: int, other: int) -> None:
    """The coin of a row depends neither on its batch nor on its place there, but on the seed."""
    rows = torch.randperm(10_000, generator=_generator(3))
    coins = batch.row_coins(rows, seed)
    assert torch.equal(batch.row_coins(rows[17:40], seed), coins[17:40])
    agreement = (coins == batch.row_coins(rows, other)).float().mean().item()
    assert agreement == 1.0 if seed == other else abs(agreement - 0.5) < 0.03


@given(SEEDS)
def test_row_coins_are_fair(seed: int) -> None:
    """Coins of neighbouring rows are fair and independent."""
    coins = batch.row_coins(torch.arange(20_001), seed).long()
    for distance in (1, 2, 100):
        assert _uniform(coins[distance:] * 2 + coins[:-distance], 4)


def test_alternating_flips_alternate() -> None:
    """Each epoch shows every image as the one before did not; the coins decide the first."""
    images, rows = _images(50, 2, 3, 1), torch.arange(50) * 7
    coins = batch.row_coins(rows, 5)
    for epoch in range(1, 6):
        expected = batch.flip(images, coins if epoch % 2 else ~coins)
        assert torch.equal(batch.alternating_flip(images, rows, epoch, 5), expected)
    assert 0 < coins.sum() < len(coins)


@pytest.mark.parametrize("size", [2, 5, 8, 13])
@pytest.mark.parametrize("shape", [(1, 8, 8, 1), (4, 8, 6, 3), (3, 5, 9, 1)])
def test_resize_equals_torchvisions(shape: tuple[int, ...], size: int) -> None:
    """Whole batches are scaled to the bit as torchvision scales one image, bytes and floats."""
    for images in (_images(*shape), torch.rand(shape, generator=_generator())):
        resized = batch.resize(images, size)
        assert (resized.dtype, resized.shape) == (images.dtype, (shape[0], size, size, shape[3]))
        assert resized.is_contiguous()
        for image, ours in zip(images, resized, strict=True):
            one = functional.resize(_channels_first(image), [size, size], antialias=True)
            torch.testing.assert_close(ours, _channels_last(one), rtol=0, atol=1e-6)


@given(SHAPES)
def test_normalize_equals_torchvisions(shape: tuple[int, int, int, int]) -> None:
    """Images come out with torchvision's values, channels first, in channels-last memory; the raw ones stay."""
    images = _images(*shape)
    before = images.clone()
    mean, std = torch.rand(shape[3]) * 200, torch.rand(shape[3]) * 50 + 1
    ours = batch.normalize(images, 1 / std, -mean / std)
    theirs = functional.normalize(images.permute(0, 3, 1, 2).float(), mean.tolist(), std.tolist())
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-4)
    assert ours.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(images, before)


@pytest.mark.parametrize("shape", [(5, 3), (5, 2, 3), (5, 4, 4, 3)])
def test_normalize_of_floats_leaves_them(shape: tuple[int, ...]) -> None:
    """What is float32 already is not overwritten: it is the stored data set."""
    raw = torch.rand(shape)
    before = raw.clone()
    scale, shift = torch.tensor([2.0, 3.0, 4.0]), torch.tensor([1.0, 0.0, -1.0])
    ours = batch.normalize(raw, scale, shift)
    assert torch.equal(raw, before)
    expected = before * scale + shift
    torch.testing.assert_close(ours, expected.permute(0, 3, 1, 2) if raw.dim() == 4 else expected)


RANDOM: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "random_flip": batch.random_flip,
    "random_crop": lambda images, generator: batch.random_crop(images, 2, generator),
    "reflected random_crop": lambda images, generator: batch.random_crop(images, 2, generator, reflect=True),
    "cutout": lambda images, generator: batch.cutout(images, 3, generator),
    "cutout with a fill": lambda images, generator: batch.cutout(
        images, 3, generator, torch.full(images.shape[3:], 9, dtype=torch.uint8)
    ),
}


@pytest.mark.parametrize("shape", [(64, 5, 7, 3), (64, 6, 4, 1)])
@pytest.mark.parametrize("name", RANDOM)
def test_the_generator_alone_decides(name: str, shape: tuple[int, ...]) -> None:
    """Equal seeds give equal bits whatever was drawn globally, others do not; inputs and global draws stay."""
    images = _images(*shape)
    before, state = images.clone(), torch.get_rng_state()
    first = RANDOM[name](images, _generator(1))
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    assert torch.equal(RANDOM[name](images, _generator(1)), first)
    assert not torch.equal(RANDOM[name](images, _generator(2)), first)
    assert torch.equal(images, before)


@pytest.mark.parametrize("name", RANDOM)
def test_a_single_image(name: str) -> None:
    """A batch of one keeps its shape, format and memory layout."""
    images = _images(1, 4, 5, 3)
    out = RANDOM[name](images, _generator())
    assert (out.shape, out.dtype, out.is_contiguous()) == (images.shape, torch.uint8, True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_device_computes_what_the_cpu_does() -> None:
    """What is drawn has the same effect to the bit on a GPU, and nothing there waits for it."""
    images, rows = _images(16, 9, 8, 3), torch.arange(16)
    drawn: tuple[Any, ...] = (rows % 5, rows % 3)

    def everything(device: str) -> Tensor:
        moved, tops, lefts = images.to(device), drawn[0].to(device), drawn[1].to(device)
        fill, ones = torch.arange(3, dtype=torch.uint8, device=device), torch.ones(3, device=device)
        torch.cuda.set_sync_debug_mode("error")
        out = batch.alternating_flip(moved, tops, 2, 3)
        out = batch.crop(batch.crop(out, 2, tops, lefts), 2, tops, lefts, reflect=True)
        out = batch.normalize(batch.cut_out(out, 3, tops, lefts, fill), ones, ones)
        torch.cuda.set_sync_debug_mode("default")
        return out.cpu()

    assert torch.equal(everything("cuda"), everything("cpu"))
    assert math.prod(everything("cuda").shape) == images.numel()
