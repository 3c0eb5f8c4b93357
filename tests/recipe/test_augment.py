"""The augmentation part: which operations it runs, on what, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from tunefast.nn import images as batch
from tunefast.recipe.augment import Augment

OPTIONS: dict[str, dict[str, Any]] = {
    "flip": {"flip": "random"},
    "alternating": {"flip": "alternating"},
    "crop": {"crop_padding": 2},
    "reflected crop": {"crop_padding": 2, "crop_fill": "reflect"},
    "cutout": {"cutout": 3},
    "mixup": {"mixup_alpha": 0.4},
    "cutmix": {"cutmix_alpha": 1.0},
    "either": {"mixup_alpha": 0.4, "cutmix_alpha": 1.0},
    "now and then": {"mixup_alpha": 0.4, "mix_probability": 0.5},
    "all": {"flip": "random", "crop_padding": 1, "cutout": 2, "mixup_alpha": 0.2, "cutmix_alpha": 1.0},
}


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _images(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=_generator(1))


def _augmented(augment: Augment, images: Tensor, *, seed: int = 0, epoch: int = 1) -> tuple[Tensor, Tensor]:
    """Both steps over a batch, as training takes them."""
    generator = _generator(seed)
    rows, encoded = torch.arange(len(images)), torch.eye(len(images))
    applied = augment.apply(images, rows, generator, epoch, 7)
    inputs = batch.normalize(applied, torch.ones(images.shape[3]), torch.zeros(images.shape[3]))
    return augment.mix(inputs, encoded, generator)


def test_off_by_default() -> None:
    """A plain recipe changes nothing, and features may be kept."""
    augment = Augment()
    images, encoded = _images(4, 5, 5, 1), torch.eye(4)
    inputs = torch.randn(4, 1, 5, 5)
    assert augment.apply(images, torch.arange(4), _generator(), 1, 0) is images
    assert augment.mix(inputs, encoded, _generator()) == (inputs, encoded)
    assert (augment.random, augment.mixes, augment.needs_images) == (False, False, False)


@pytest.mark.parametrize("name", OPTIONS)
def test_whatever_is_on_is_random(name: str) -> None:
    """Each option forbids that features are kept; all but mixup need images."""
    augment = Augment.model_validate(OPTIONS[name])
    assert augment.random
    assert augment.needs_images == (name not in {"mixup", "now and then"})
    assert augment.mixes == any("alpha" in option for option in OPTIONS[name])


@pytest.mark.parametrize("shape", [(32, 6, 6, 3), (32, 5, 8, 1), (1, 6, 5, 3)])
@pytest.mark.parametrize("name", OPTIONS)
def test_a_function_of_the_generators_seed(name: str, shape: tuple[int, ...]) -> None:
    """Equal seeds give equal bits whatever was drawn globally; shapes, formats and global draws stay as they are."""
    augment = Augment.model_validate(OPTIONS[name])
    images = _images(*shape)
    before, state = images.clone(), torch.get_rng_state()
    inputs, encoded = _augmented(augment, images)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(images, before)
    torch.rand(3)
    again = _augmented(augment, images)
    assert torch.equal(again[0], inputs)
    assert torch.equal(again[1], encoded)
    assert (inputs.dtype, inputs.shape) == (torch.float32, (shape[0], shape[3], shape[1], shape[2]))
    assert inputs.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(encoded.sum(dim=1), torch.ones(shape[0]))


@pytest.mark.parametrize("name", [name for name in OPTIONS if name != "alternating"])
def test_other_seeds_change_the_result(name: str) -> None:
    """The seed is not ignored."""
    augment = Augment.model_validate(OPTIONS[name])
    images = _images(32, 6, 6, 3)
    first = _augmented(augment, images)[0]
    assert any(not torch.equal(_augmented(augment, images, seed=seed)[0], first) for seed in range(1, 6))


@given(st.integers(1, 1000), st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_alternating_flips_follow_trial_row_and_epoch(epoch: int, trial_seed: int, seed: int) -> None:
    """The step's generator has no say, nor have other rows of the batch; the next epoch shows the mirror image."""
    augment = Augment(flip="alternating")
    images, rows = _images(20, 3, 4, 1), torch.arange(100, 120)
    shown = augment.apply(images, rows, _generator(seed), epoch, trial_seed)
    part = augment.apply(images[5:9], rows[5:9], _generator(), epoch, trial_seed)
    assert torch.equal(part, shown[5:9])
    following = augment.apply(images, rows, _generator(seed), epoch + 1, trial_seed)
    assert torch.equal(following, shown.flip(2))


def test_order_and_fill() -> None:
    """Cutout comes last, on the cropped image, in the colour given."""
    images, fill = torch.full((400, 4, 4, 3), 200, dtype=torch.uint8), torch.tensor([1, 2, 3], dtype=torch.uint8)
    out = Augment(crop_padding=1, cutout=1).apply(images, torch.arange(400), _generator(), 1, 0, fill)
    assert ((out == fill).all(dim=3).flatten(1).sum(dim=1) == 1).all()


def test_each_batch_takes_mixup_or_cutmix() -> None:
    """With both on, half of the batches have whole pixels from either sample, the others mixtures."""
    augment = Augment(mixup_alpha=5.0, cutmix_alpha=5.0)
    inputs, encoded = torch.zeros(2, 1, 12, 12), torch.eye(2)
    inputs[1] = 1
    pasted = []
    for seed in range(600):
        mixed, soft = augment.mix(inputs, encoded, _generator(seed))
        pasted.append(bool(((mixed == 0) | (mixed == 1)).all()))
        torch.testing.assert_close(mixed.mean(dim=(1, 2, 3)), soft[:, 1])
    assert sum(pasted) / len(pasted) == pytest.approx(0.5, abs=0.08)


def test_mix_probability() -> None:
    """It is the share of batches that are mixed; the others pass bit by bit."""
    augment = Augment(mixup_alpha=5.0, mix_probability=0.3)
    inputs, encoded = torch.randn(4, 6), torch.eye(4)
    untouched = 0
    for seed in range(1000):
        mixed, soft = augment.mix(inputs, encoded, _generator(seed))
        untouched += int(torch.equal(mixed, inputs) and torch.equal(soft, encoded))
    assert untouched / 1000 == pytest.approx(0.7, abs=0.06)


@pytest.mark.parametrize(
    ("options", "shape", "message"),
    [
        ({"flip": "random"}, (64,), r"augment\.flip = 'random': needs images.*samples are \(64,\)"),
        ({"crop_padding": 4}, (8, 8), r"augment\.crop_padding = 4: needs images.*samples are \(8, 8\)"),
        ({"cutmix_alpha": 1.0}, (64,), r"augment\.cutmix_alpha = 1\.0: needs images"),
        ({"cutout": 3, "crop_padding": 1}, (64,), r"augment\.crop_padding = 1, augment\.cutout = 3: needs images"),
        ({"cutout": 9}, (1, 8, 12), r"augment\.cutout = 9 must be at most 8, .*which are 8x12"),
        ({"crop_padding": 8}, (3, 8, 12), r"augment\.crop_padding = 8 must be less than 8, .*which are 8x12"),
    ],
)
def test_refuses_samples_that_do_not_fit(options: dict[str, Any], shape: tuple[int, ...], message: str) -> None:
    """The message names the option, its value, and what the samples are."""
    with pytest.raises(ValueError, match=message):
        Augment.model_validate(options).check(shape)


def test_takes_samples_that_fit() -> None:
    """Mixup takes tables; everything takes images that are large enough."""
    Augment(mixup_alpha=0.2).check((64,))
    Augment(flip="random", crop_padding=7, cutout=8, cutmix_alpha=1.0).check((3, 8, 12))


@pytest.mark.parametrize(
    "options",
    [
        {"flip": "vertical"},
        {"crop_padding": -1},
        {"crop_padding": 1.5},
        {"cutout": -1},
        {"mixup_alpha": -0.1},
        {"cutmix_alpha": "1"},
        {"mix_probability": 0.0},
        {"mix_probability": 1.1},
        {"cut_out": 3},
    ],
)
def test_out_of_range(options: dict[str, Any]) -> None:
    """Values that mean nothing are refused."""
    with pytest.raises(ValidationError):
        Augment.model_validate(options)
