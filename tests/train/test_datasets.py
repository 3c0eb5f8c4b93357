"""Split the same way for all trials, with statistics of the training part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.files import write_mnist
from tests.train.driving import CPU
from tunefast.errors import DataError
from tunefast.recipe.data import Digits, Mnist, Synthetic
from tunefast.train import datasets
from tunefast.train.datasets import load_dataset, stratified_split

labelled = st.lists(st.integers(0, 4), min_size=1, max_size=80).map(lambda labels: np.array(labels, dtype=np.int64))


@given(labelled, st.floats(0.01, 0.99), st.integers(0, 2**32))
def test_split(labels: np.ndarray[tuple[int], np.dtype[np.int64]], share: float, seed: int) -> None:
    """Two sorted parts, disjoint and complete; each class gives about its share; the seed alone decides which."""
    index = np.arange(len(labels))
    kept, taken = stratified_split(labels, index, share, seed)
    assert sorted([*kept.tolist(), *taken.tolist()]) == index.tolist()
    assert kept.tolist() == sorted(kept.tolist())
    assert taken.tolist() == sorted(taken.tolist())
    for label in np.unique(labels):
        size, out = int((labels == label).sum()), int((labels[taken] == label).sum())
        assert abs(out - size * share) <= 0.5 or out == size - 1
        assert out < size
    again = stratified_split(labels, index, share, seed)
    assert np.array_equal(again[1], taken)


def test_split_seed() -> None:
    """Another split seed keeps other samples."""
    one, other = (load_dataset(Digits(split_seed=seed), CPU).val_index for seed in (0, 1))
    assert not torch.equal(one, other)


def test_parts_of_digits() -> None:
    """Training, validation and test part share no sample, and each has every class in proportion."""
    dataset = load_dataset(Digits(), CPU)
    train, val = set(dataset.train_index.tolist()), set(dataset.val_index.tolist())
    assert not train & val
    assert len(train) + len(val) + len(dataset.test_labels) == 1797
    assert len(dataset.test_labels) == pytest.approx(180, abs=5)
    assert len(val) == pytest.approx(162, abs=5)
    assert torch.bincount(dataset.labels[dataset.val_index]).min() >= 15
    used = dataset.inputs[torch.cat([dataset.train_index, dataset.val_index])].flatten(1)
    for row in dataset.test_inputs.flatten(1)[:20]:
        assert not (used == row).all(dim=1).any()


def test_same_split_for_all_trials() -> None:
    """The part alone decides the split: two loads of equal parts are one data set."""
    assert load_dataset(Digits(), CPU) is load_dataset(Digits(), CPU)
    load_dataset.cache_clear()
    first = load_dataset(Digits(), CPU)
    load_dataset.cache_clear()
    torch.manual_seed(99)
    np.random.default_rng().random()
    assert torch.equal(load_dataset(Digits(), CPU).val_index, first.val_index)


@pytest.mark.parametrize("part", [Digits(), Synthetic(noise=3.0)])
def test_statistics(part: Digits | Synthetic) -> None:
    """The training part has mean 0 and deviation 1, over all pixels of a channel or for each feature."""
    dataset = load_dataset(part, CPU)
    inputs = dataset.normalised(dataset.inputs[dataset.train_index])
    assert inputs.shape[1:] == dataset.input_shape
    axes = (0, 2, 3) if inputs.dim() == 4 else (0,)
    torch.testing.assert_close(inputs.mean(dim=axes), torch.zeros(inputs.shape[1]), atol=1e-4, rtol=0)
    torch.testing.assert_close(inputs.std(dim=axes), torch.ones(inputs.shape[1]), atol=1e-2, rtol=0)


def test_statistics_come_from_the_training_part_only() -> None:
    """What stands in validation samples does not move the mean."""
    inputs = np.random.default_rng(0).normal(size=(100, 3)).astype("float32")
    train_index = np.arange(0, 100, 2)
    before = datasets._moments(inputs, train_index)
    inputs[1::2] = 1e6
    after = datasets._moments(inputs, train_index)
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


def test_statistics_of_large_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Statistics gathered in chunks are those of the whole, and a constant feature is not divided by 0."""
    inputs = np.random.default_rng(0).normal(5, 2, size=(1000, 3)).astype("float32")
    inputs[:, 2] = 7
    monkeypatch.setattr(datasets, "_CHUNK", 64)
    mean, std = datasets._moments(inputs, np.arange(1000))
    np.testing.assert_allclose(mean, inputs.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(std, [*inputs.std(axis=0)[:2], 1.0], rtol=1e-5)


def test_images_in_channels_last() -> None:
    """Images come out as [N, C, H, W] in the memory order that convolutions like, without a copy of the raw ones."""
    dataset = load_dataset(Digits(), CPU)
    images = dataset.normalised(dataset.inputs[:4])
    assert images.shape == (4, 1, 8, 8)
    assert images.dtype is torch.float32
    assert dataset.inputs.dtype is torch.uint8


def test_set_with_its_own_test_part(tmp_path: Path) -> None:
    """A test part that the source has is taken as it is."""
    write_mnist(tmp_path, train=60, test=20)
    dataset = load_dataset(Mnist(root=str(tmp_path), validation=0.2), CPU)
    assert (len(dataset.train_index), len(dataset.val_index), len(dataset.test_labels)) == (50, 10, 20)
    assert dataset.num_classes == 10


def test_too_few_samples() -> None:
    """A set too small to be split is refused, naming the share."""
    with pytest.raises(DataError, match=r"'synthetic'.*10 samples are too few for validation = 0.1"):
        load_dataset(Synthetic(samples=10, classes=5), CPU)
