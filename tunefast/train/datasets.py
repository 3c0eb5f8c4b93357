"""From a data part to tensors: split the same way for all trials, normalised by the training part alone."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tunefast.errors import DataError
from tunefast.recipe.data import IMAGE_AXES, DataPart
from tunefast.train.cache import decoded

TEST_SHARE = 0.1
TEST_SEED = 0
_CHUNK = 4096
_SMALLEST_STD = 1e-6


@dataclass(frozen=True)
class Dataset:
    """A data set on a device, split.

    `inputs` holds all samples that are not test samples: images as uint8 [N, H, W, C], tables as float32 [N, F];
    `train_index` and `val_index` say which row belongs to which part.
    """

    inputs: Tensor
    labels: Tensor
    train_index: Tensor
    val_index: Tensor
    test_inputs: Tensor
    test_labels: Tensor
    input_shape: tuple[int, ...]
    """Of one sample as a model sees it: (channels, height, width), or (features,)."""
    num_classes: int
    mean: Tensor
    std: Tensor

    def normalised(self, raw: Tensor) -> Tensor:
        """Rows of `inputs` as float32 with the training part's mean 0 and deviation 1.

        Images come out as [N, C, H, W] in channels-last memory, since that is how they are stored.
        """
        if raw.dim() == 1 + IMAGE_AXES:
            raw = raw.permute(0, 3, 1, 2)
        return (raw.to(torch.float32) - self.mean) / self.std


@functools.lru_cache(maxsize=4)
def load_dataset(part: DataPart, device: torch.device) -> Dataset:
    """The data set of `part` on `device`, kept in this process for the trials that follow.

    Raises `DataError` where it is missing, damaged, or too small for the split.
    """
    arrays = decoded(part)
    index = np.arange(len(arrays.labels))
    inputs, labels = arrays.inputs, arrays.labels
    if arrays.test_inputs is None or arrays.test_labels is None:
        index, test_index = stratified_split(labels, index, TEST_SHARE, TEST_SEED)
        test_inputs, test_labels = inputs[test_index], labels[test_index]
    else:
        test_inputs, test_labels = arrays.test_inputs, arrays.test_labels
    train_index, val_index = stratified_split(labels, index, part.validation, part.split_seed)
    if min(len(train_index), len(val_index), len(test_labels)) == 0:
        problem = f"{len(labels)} samples are too few for validation = {part.validation}"
        raise DataError(path=f"data {getattr(part, 'name', '')!r}", problem=problem)
    mean, std = _moments(inputs, train_index)
    return Dataset(
        inputs=torch.from_numpy(inputs).to(device),
        labels=torch.from_numpy(labels).to(device),
        train_index=torch.from_numpy(train_index).to(device),
        val_index=torch.from_numpy(val_index).to(device),
        test_inputs=torch.from_numpy(test_inputs).to(device),
        test_labels=torch.from_numpy(test_labels).to(device),
        input_shape=arrays.sample_shape,
        num_classes=int(labels.max()) + 1,
        mean=mean.to(device),
        std=std.to(device),
    )


def stratified_split(
    labels: NDArray[np.int64], index: NDArray[np.int64], share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split `index` in two, the second with about `share` of the rows of each class; both sorted, nothing in both."""
    rng = np.random.default_rng(seed)
    taken: list[NDArray[np.int64]] = []
    for label in np.unique(labels[index]):
        rows = rng.permutation(index[labels[index] == label])
        taken.append(rows[: min(round(len(rows) * share), len(rows) - 1)])
    second = np.sort(np.concatenate(taken))
    return np.setdiff1d(index, second, assume_unique=True), second


def _moments(inputs: NDArray[Any], train_index: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Mean and deviation of the training rows, per channel of images [C, 1, 1] or per feature of tables [F]."""
    images = inputs.ndim == 1 + IMAGE_AXES
    axes = (0, 1, 2) if images else (0,)
    total = square = np.zeros(1)
    count = 0
    for start in range(0, len(train_index), _CHUNK):
        rows = inputs[train_index[start : start + _CHUNK]].astype(np.float64)
        total = total + rows.sum(axis=axes)
        square = square + (rows**2).sum(axis=axes)
        count += rows.size // rows.shape[-1]
    mean = total / count
    std = np.sqrt(np.maximum(square / count - mean**2, 0))
    std[std < _SMALLEST_STD] = 1.0
    shape = (-1, 1, 1) if images else (-1,)
    return _column(mean, shape), _column(std, shape)


def _column(values: NDArray[np.float64], shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).reshape(shape)
