"""From stored samples to what a model sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.train.driving import CPU, recipe
from tunefast.recipe.data import Digits, Synthetic
from tunefast.recipe.models import Torchvision
from tunefast.train.datasets import Dataset, load_dataset
from tunefast.train.preparing import Preparation, scaling

CNN: dict[str, Any] = {"name": "small_cnn", "width": 4}


def _preparation(data: Digits | Synthetic, seed: int = 0, **settings: Any) -> tuple[Preparation, Dataset]:
    dataset = load_dataset(data, CPU)
    return Preparation(recipe(data=data.table(), **settings), dataset, seed, CPU), dataset


def _inputs(data: Digits | Synthetic, **preprocess: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """What the model sees of the training part, channels first, and what is stored of it, likewise."""
    preparation, dataset = _preparation(data, preprocess=preprocess)
    raw = dataset.train.take(torch.arange(len(dataset.train))).inputs
    stored = raw.float().permute(0, 3, 1, 2) if raw.ndim == 4 else raw
    return preparation.inputs(raw), stored


@pytest.mark.parametrize("data", [Digits(), Synthetic(noise=3.0)], ids=["images", "table"])
@pytest.mark.parametrize("normalize", ["auto", "data"])
def test_data(data: Digits | Synthetic, normalize: str) -> None:
    """Mean 0 and deviation 1 by the training part's own statistics; auto is that for a model without weights."""
    inputs, stored = _inputs(data, normalize=normalize)
    axes = (0, 2, 3) if inputs.ndim == 4 else (0,)
    std, mean = torch.std_mean(stored, dim=axes, correction=0, keepdim=True)
    torch.testing.assert_close(inputs, (stored - mean) / std, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("data", [Digits(), Synthetic()], ids=["images", "table"])
def test_range(data: Digits | Synthetic) -> None:
    """The smallest and largest value of each channel or feature become `low` and `high`."""
    inputs, _ = _inputs(data, normalize="range", low=-1.0, high=3.0)
    axes = (0, 2, 3) if inputs.ndim == 4 else (0,)
    torch.testing.assert_close(inputs.amin(dim=axes), torch.full(inputs.shape[1:2], -1.0), atol=1e-5, rtol=0)
    torch.testing.assert_close(inputs.amax(dim=axes), torch.full(inputs.shape[1:2], 3.0), atol=1e-5, rtol=0)


def test_none() -> None:
    """As stored: bytes from 0 to 255, tables in their own units."""
    for data in (Digits(), Synthetic()):
        inputs, stored = _inputs(data, normalize="none")
        assert torch.equal(inputs, stored)


def test_fixed_images() -> None:
    """Given means and deviations count from 0 to 1, whatever the bytes count to."""
    inputs, stored = _inputs(Digits(), normalize="fixed", mean=[0.25], std=[0.5])
    torch.testing.assert_close(inputs, (stored / 255 - 0.25) / 0.5)


def test_fixed_table() -> None:
    """One value goes for all features, or each has its own, in the table's units."""
    inputs, stored = _inputs(Synthetic(), normalize="fixed", mean=[2.0], std=[4.0])
    torch.testing.assert_close(inputs, (stored - 2) / 4)
    means = [float(number) for number in range(20)]
    inputs, stored = _inputs(Synthetic(), normalize="fixed", mean=means, std=[2.0] * 20)
    torch.testing.assert_close(inputs, (stored - torch.tensor(means)) / 2)
    with pytest.raises(ValueError, match=r"preprocess.mean and std have 3 values, and samples have 20 channels"):
        _inputs(Synthetic(), normalize="fixed", mean=[1.0] * 3, std=[1.0] * 3)


@pytest.mark.parametrize("normalize", ["auto", "weights"])
def test_weights(normalize: str) -> None:
    """Pretrained weights get what they were trained on; a single channel gets the mean over the colours."""
    model = {"name": "torchvision", "arch": "resnet18", "weights": "IMAGENET1K_V1"}
    made = recipe(model=model, preprocess={"normalize": normalize})
    colours = Torchvision(weights="IMAGENET1K_V1").normalization()
    assert colours is not None
    mean, std = (sum(values) / 3 for values in colours)
    scale, shift = scaling(made, load_dataset(made.data, CPU))
    assert scale.item() * 100 + shift.item() == pytest.approx((100 / 255 - mean) / std, rel=1e-5)


def test_layout() -> None:
    """Images become float32 [n, C, H, W] whose channels are innermost."""
    preparation, dataset = _preparation(Digits())
    inputs = preparation.inputs(dataset.train.take(torch.arange(5)).inputs)
    assert (inputs.shape, inputs.dtype) == ((5, 1, 8, 8), torch.float32)
    assert inputs.is_contiguous(memory_format=torch.channels_last)


def test_image_size() -> None:
    """Images are scaled on the way, in training and evaluation alike, and only where their size differs."""
    preparation, dataset = _preparation(Digits(), preprocess={"image_size": 12})
    batch = dataset.train.take(torch.arange(5))
    assert preparation.inputs(batch.inputs).shape == (5, 1, 12, 12)
    assert preparation.training(batch, 1, 0, 0)[0].shape == (5, 1, 12, 12)
    same, _ = _preparation(Digits(), preprocess={"image_size": 8})
    plain, _ = _preparation(Digits())
    assert torch.equal(same.inputs(batch.inputs), plain.inputs(batch.inputs))


AUGMENTS: dict[str, dict[str, Any]] = {
    "flip": {"flip": "random"},
    "crop": {"crop_padding": 2},
    "cutout": {"cutout": 3},
    "mixup": {"mixup_alpha": 1.0},
    "cutmix": {"cutmix_alpha": 1.0},
    "all": {"flip": "random", "crop_padding": 1, "cutout": 2, "mixup_alpha": 1.0, "cutmix_alpha": 1.0},
}


@pytest.mark.parametrize("kind", AUGMENTS)
def test_draws_follow_from_the_key(kind: str) -> None:
    """The same trial, epoch, step and position draw the same; any other of the four draws something else."""
    preparation, dataset = _preparation(Digits(), augment=AUGMENTS[kind])
    batch = dataset.train.take(torch.arange(32))
    inputs, targets = preparation.training(batch, 1, 2, 3)
    torch.rand(3)
    preparation.training(batch, 9, 9, 9)
    again, _ = _preparation(Digits(), augment=AUGMENTS[kind])
    for same in (preparation, again):
        assert all(map(torch.equal, same.training(batch, 1, 2, 3), (inputs, targets)))
    for key in ((2, 2, 3), (1, 3, 3), (1, 2, 4)):
        assert not torch.equal(preparation.training(batch, *key)[0], inputs)
    other, _ = _preparation(Digits(), seed=1, augment=AUGMENTS[kind])
    assert not torch.equal(other.training(batch, 1, 2, 3)[0], inputs)


def test_global_generator_stays() -> None:
    """Augmentation leaves torch's global generator and the stored samples alone."""
    preparation, dataset = _preparation(Digits(), augment=AUGMENTS["all"])
    batch = dataset.train.take(torch.arange(32))
    before, stored = torch.get_rng_state(), batch.inputs.clone()
    preparation.training(batch, 1, 0, 0)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(batch.inputs, stored)


def test_evaluation_is_not_augmented() -> None:
    """What is random is for training only."""
    plain, dataset = _preparation(Digits())
    augmented, _ = _preparation(Digits(), augment=AUGMENTS["all"])
    raw = dataset.train.take(torch.arange(32)).inputs
    assert torch.equal(augmented.inputs(raw), plain.inputs(raw))
    assert torch.equal(augmented.inputs(raw), augmented.inputs(raw))


def test_alternating_flips_follow_the_row() -> None:
    """An image is mirrored in every second epoch, whatever step and batch it comes in."""
    preparation, dataset = _preparation(Digits(), augment={"flip": "alternating"})
    rows = torch.arange(16)
    one = preparation.training(dataset.train.take(rows), 1, 0, 0)[0]
    two = preparation.training(dataset.train.take(rows.flip(0)), 2, 5, 1)[0].flip(0)
    three = preparation.training(dataset.train.take(rows), 3, 9, 2)[0]
    assert torch.equal(one, two.flip(3))
    assert torch.equal(one, three)
    assert any(
        not torch.equal(a, b) for a, b in zip(one, preparation.inputs(dataset.train.take(rows).inputs), strict=True)
    )


def test_cutout_paints_the_mean() -> None:
    """What is cut out is near 0 after scaling: the mean colour, as in its paper."""
    preparation, dataset = _preparation(Digits(), augment={"cutout": 8})
    batch = dataset.train.take(torch.arange(64))
    changed = preparation.training(batch, 1, 0, 0)[0]
    painted = changed != preparation.inputs(batch.inputs)
    assert painted.any()
    assert changed[painted].abs().max() < 0.1


def test_targets_are_mixed_as_inputs_are() -> None:
    """With mixup, targets stay a distribution, and are those of two samples."""
    preparation, dataset = _preparation(Digits(), augment=AUGMENTS["mixup"])
    _, targets = preparation.training(dataset.train.take(torch.arange(32)), 1, 0, 0)
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(32))
    assert (targets > 0).sum(dim=1).max() == 2


def test_features_are_seen_as_they_are() -> None:
    """What comes from a backbone is neither scaled nor augmented again."""
    preparation, _ = _preparation(Digits(), model=CNN)
    features = torch.rand(4, 8, 2, 2)
    assert torch.equal(preparation.of_features().inputs(features), features)


def test_key() -> None:
    """The key of kept features changes with all that happens to a sample before the backbone, and with nothing else."""
    plain, same, size, scale, values = (
        _preparation(Digits(), 0, preprocess=preprocess, batch_size=batch_size)[0].key()
        for preprocess, batch_size in (
            ({}, 64),
            ({"normalize": "data"}, 7),
            ({"image_size": 12}, 64),
            ({"normalize": "range"}, 64),
            ({"normalize": "range", "high": 2.0}, 64),
        )
    )
    assert plain == same
    assert len({plain, size, scale, values}) == 4


def test_float_images_have_channels(tmp_path: Path) -> None:
    """Images stored as numbers [N, C, H, W] are scaled a channel at a time, as those stored as bytes are."""
    rng = np.random.default_rng(0)
    inputs = rng.normal([[[[5.0]], [[-3.0]]]], [[[[2.0]], [[0.5]]]], size=(60, 2, 4, 4)).astype("float32")
    np.savez(tmp_path / "data.npz", inputs=inputs, targets=np.arange(60) % 3)
    data = {"name": "npz", "root": str(tmp_path)}
    dataset = load_dataset(recipe(data=data).data, CPU)
    assert dataset.moments.mean.shape == (2, 1, 1)
    assert dataset.moments.mean.flatten().tolist() == pytest.approx([5, -3], abs=0.2)
    made = recipe(data=data, preprocess={"normalize": "fixed", "mean": [5.0, -3.0], "std": [2.0, 0.5]})
    scaled = Preparation(made, dataset, 0, CPU).inputs(dataset.train.inputs)
    torch.testing.assert_close(scaled[:, 1], (dataset.train.inputs[:, 1] + 3) / 0.5)
