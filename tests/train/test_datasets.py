"""From a data part to tensors, with statistics of the training part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.files import write_mnist, write_npz
from tests.train.driving import CPU, recipe
from tunefast.errors import DataError
from tunefast.recipe.data import Decoded, Digits, Mnist, Npz, Synthetic
from tunefast.train import datasets
from tunefast.train.datasets import Dataset, Samples, dataset_for, fits, load_dataset
from tunefast.train.preparing import Preparation


def _rows(samples: Samples) -> set[int]:
    return set(samples.rows.tolist())


def test_split_seed() -> None:
    """Another split seed keeps other samples."""
    one, other = (load_dataset(Digits(split_seed=seed), CPU).validation.rows for seed in (0, 1))
    assert not torch.equal(one, other)


def test_parts_of_digits() -> None:
    """Training, validation and test part share no sample, and each has every class in proportion."""
    dataset = load_dataset(Digits(), CPU)
    train, validation, test = (_rows(part) for part in (dataset.train, dataset.validation, dataset.test))
    assert len(train | validation | test) == len(train) + len(validation) + len(test) == 1797
    assert len(test) == pytest.approx(180, abs=5)
    assert len(validation) == pytest.approx(162, abs=5)
    kept = dataset.validation.take(torch.arange(len(validation)))
    assert torch.bincount(kept.targets).min() >= 15


def test_parts_share_their_arrays() -> None:
    """A part is rows of arrays that all parts share, so that nothing is copied to be split."""
    dataset = load_dataset(Digits(), CPU)
    assert {part.inputs.data_ptr() for part in (dataset.train, dataset.validation, dataset.test)} == {
        dataset.train.inputs.data_ptr()
    }


def test_take() -> None:
    """Positions count within the part, and a batch says in which rows of the data its samples stand."""
    part = load_dataset(Digits(), CPU).validation
    batch = part.take(torch.tensor([3, 0]))
    assert batch.rows.tolist() == [part.rows[3].item(), part.rows[0].item()]
    assert torch.equal(batch.inputs, part.inputs[batch.rows])
    assert torch.equal(batch.targets, part.targets[batch.rows])


def test_same_split_for_all_trials() -> None:
    """The part alone decides the split: two loads of equal parts are one data set."""
    assert load_dataset(Digits(), CPU) is load_dataset(Digits(), CPU)
    load_dataset.cache_clear()
    first = load_dataset(Digits(), CPU)
    load_dataset.cache_clear()
    torch.manual_seed(99)
    np.random.default_rng().random()
    assert torch.equal(load_dataset(Digits(), CPU).validation.rows, first.validation.rows)


def _prepared(part: Digits | Synthetic, dataset: Dataset) -> torch.Tensor:
    preparation = Preparation(recipe(data=part.table()), dataset, 0, CPU)
    prepared: torch.Tensor = preparation.inputs(dataset.train.take(torch.arange(len(dataset.train))).inputs)
    return prepared


@pytest.mark.parametrize("part", [Digits(), Synthetic(noise=3.0)])
def test_statistics(part: Digits | Synthetic) -> None:
    """The training part has mean 0 and deviation 1, over all pixels of a channel or for each feature."""
    dataset = load_dataset(part, CPU)
    inputs = _prepared(part, dataset)
    assert inputs.shape[1:] == dataset.sample_shape
    axes = (0, 2, 3) if inputs.dim() == 4 else (0,)
    torch.testing.assert_close(inputs.mean(dim=axes), torch.zeros(inputs.shape[1]), atol=1e-4, rtol=0)
    torch.testing.assert_close(inputs.std(dim=axes), torch.ones(inputs.shape[1]), atol=1e-2, rtol=0)


def _decoded(inputs: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> Decoded:
    return Decoded(inputs, np.arange(len(inputs)) % 2)


def test_statistics_come_from_the_training_part_only() -> None:
    """What stands in validation samples does not move the mean, nor the largest value."""
    inputs = np.random.default_rng(0).normal(size=(100, 3)).astype("float32")
    train = np.arange(0, 100, 2)
    before = datasets._moments(_decoded(inputs), train)
    inputs[1::2] = 1e6
    after = datasets._moments(_decoded(inputs), train)
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))


def test_statistics_are_the_same_for_every_fraction() -> None:
    """Trials on a fraction of the samples see inputs on the scale that the others do."""
    whole, fifth = (load_dataset(Digits(fraction=fraction), CPU) for fraction in (1.0, 0.2))
    assert len(fifth.train) < len(whole.train) / 4
    assert all(torch.equal(one, other) for one, other in zip(whole.moments, fifth.moments, strict=True))
    assert torch.equal(whole.validation.rows, fifth.validation.rows)


def test_statistics_of_large_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Statistics gathered in chunks are those of the whole, and a constant feature is not divided by 0."""
    inputs = np.random.default_rng(0).normal(5, 2, size=(1000, 3)).astype("float32")
    inputs[:, 2] = 7
    monkeypatch.setattr(datasets, "_CHUNK", 64)
    mean, std, low, high = datasets._moments(_decoded(inputs), np.arange(1000))
    np.testing.assert_allclose(mean, inputs.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(std, [*inputs.std(axis=0)[:2], 1.0], rtol=1e-5)
    np.testing.assert_array_equal([low, high], [inputs.min(axis=0), inputs.max(axis=0)])


def test_statistics_of_images() -> None:
    """They are of each channel, exact, over the training part's images alone."""
    inputs = np.random.default_rng(0).integers(0, 200, size=(600, 5, 4, 3), dtype=np.uint8)
    inputs[1::2] = 255
    mean, std, low, high = datasets._moments(Decoded(inputs, np.arange(600) % 2), np.arange(0, 600, 2))
    channels = inputs[::2].reshape(-1, 3).astype(np.float64)
    assert mean.shape == (3, 1, 1)
    np.testing.assert_array_equal(mean.ravel(), channels.mean(axis=0).astype(np.float32))
    np.testing.assert_allclose(std.ravel(), channels.std(axis=0), rtol=1e-6)
    np.testing.assert_array_equal([low.ravel(), high.ravel()], [channels.min(axis=0), channels.max(axis=0)])


def test_targets_of_the_training_part() -> None:
    """Class counts are those of what is trained on, and a class that is only in other parts still has an output."""
    dataset = load_dataset(Digits(fraction=0.5), CPU)
    labels = dataset.train.take(torch.arange(len(dataset.train))).targets
    assert dataset.targets.counts == tuple(torch.bincount(labels).tolist())
    assert (dataset.targets.size, dataset.targets.total) == (10, len(labels))


def test_class_without_a_training_sample(tmp_path: Path) -> None:
    """A class whose only group is held out still counts, or the model would have no output for it."""
    classes = np.arange(60) % 6
    write_npz(tmp_path / "data.npz", targets=classes, groups=classes)
    dataset = load_dataset(Npz(root=str(tmp_path), split="group", validation=0.2), CPU)
    assert dataset.targets.size == 6
    assert sorted(dataset.targets.counts) == [0, 0, 10, 10, 10, 10]


def test_images_in_channels_last() -> None:
    """Images come out as [N, C, H, W] in the memory order that convolutions like, without a copy of the raw ones."""
    dataset = load_dataset(Digits(), CPU)
    images = _prepared(Digits(), dataset)
    assert images.shape[1:] == (1, 8, 8)
    assert images.dtype is torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert dataset.train.inputs.dtype is torch.uint8
    assert dataset.is_images


def test_set_with_its_own_test_part(tmp_path: Path) -> None:
    """A test part that the source has is taken as it is."""
    write_mnist(tmp_path, train=60, test=20)
    dataset = load_dataset(Mnist(root=str(tmp_path), validation=0.2), CPU)
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (50, 10, 20)
    assert dataset.targets.size == 10


def test_too_few_samples() -> None:
    """A set too small to be split is refused, naming the share."""
    with pytest.raises(DataError, match=r"'synthetic'.*10 samples are too few for validation = 0.1"):
        load_dataset(Synthetic(samples=10, classes=5), CPU)


def test_where_samples_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples stay on a device that has room for them twice over; else they wait in mapped memory for a loader."""
    size = 1797 * (64 + 8)
    device, loaded = torch.device("cuda", 0), []
    monkeypatch.setattr(datasets, "load_dataset", lambda _, where: loaded.append(where.type))
    for free, room in ((2 * size, True), (2 * size - 2, False)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, free=free: (free, 0))
        datasets._fits.cache_clear()
        assert fits(Digits(), device) is room
        dataset_for(Digits(), device, "auto")
    dataset_for(Digits(), device, "resident")
    dataset_for(Digits(), device, "loader")
    assert loaded == ["cuda", "cpu", "cuda", "cpu"]
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (2 * size, 0))
    assert not fits(Digits(fraction=0.5), device), "decided once, since the samples themselves take memory then"
    datasets._fits.cache_clear()
    assert fits(Digits(), CPU)
