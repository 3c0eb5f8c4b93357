"""From a data part to tensors: split the same way for all trials, with the statistics of the training part alone."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tunefast.recipe.data import DataPart, Decoded, Targets
from tunefast.train.cache import decoded, fingerprint
from tunefast.train.splits import split, standardized

RESIDENT_SHARE = 0.5
"""Of a device's free memory: what samples may take there."""
_CHUNK = 4096
_SMALLEST_STD = 1e-6


class Batch(NamedTuple):
    """Samples as they are stored, with the rows they stand in."""

    inputs: Tensor
    targets: Tensor
    rows: Tensor

    def to(self, device: torch.device) -> Batch:
        """The batch on `device`; the copy from pinned memory does not wait."""
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in self))


@dataclass(frozen=True)
class Samples:
    """One part of a data set: some rows of arrays that other parts may share.

    `inputs` are images as uint8 [N, H, W, C], or anything else as float32 [N, ...]; `targets` as `Targets` says.
    """

    inputs: Tensor
    targets: Tensor
    rows: Tensor

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, positions: Tensor) -> Batch:
        """The samples at `positions` of this part."""
        rows = self.rows[positions]
        return Batch(self.inputs[rows], self.targets[rows], rows)


class Moments(NamedTuple):
    """Statistics of the training part, per channel of images [C, 1, 1] or per number of other samples [...]."""

    mean: Tensor
    std: Tensor
    low: Tensor
    high: Tensor


@dataclass(frozen=True)
class Dataset:
    """A data set, split. Samples are on the training device where they are resident there, else on the CPU."""

    train: Samples
    validation: Samples
    test: Samples
    sample_shape: tuple[int, ...]
    """Of one sample as a model sees it: (channels, height, width), or (features,)."""
    targets: Targets
    """Of the training part."""
    moments: Moments
    fingerprint: str
    """Of the stored samples, whatever their split."""

    @property
    def is_images(self) -> bool:
        """Whether samples are stored as bytes, [N, H, W, C]."""
        return self.train.inputs.dtype == torch.uint8


@functools.lru_cache(maxsize=4)
def load_dataset(part: DataPart, device: torch.device) -> Dataset:
    """The data set of `part`, its samples on `device`, kept in this process for the trials that follow.

    Raises `DataError` where it is missing, damaged, or too small for the split.
    """
    arrays = decoded(part)
    parts = split(arrays, part)
    arrays = standardized(arrays, parts, part)
    whole = _tensors(arrays.inputs, arrays.targets, device)
    validation, test = whole, whole
    if parts.validation is None:
        validation = _tensors(arrays.val_inputs, arrays.val_targets, device)
    if parts.test is None:
        test = _tensors(arrays.test_inputs, arrays.test_targets, device)
    kind = arrays.target_kind
    return Dataset(
        train=_samples(whole, parts.train),
        validation=_samples(validation, parts.validation),
        test=_samples(test, parts.test),
        sample_shape=arrays.sample_shape,
        targets=Targets.of(arrays.targets[parts.train], kind.size if kind.kind == "classes" else None),
        moments=Moments(*(torch.from_numpy(value).to(device) for value in _moments(arrays, parts.pool))),
        fingerprint=fingerprint(part),
    )


def dataset_for(part: DataPart, device: torch.device, loading: str) -> Dataset:
    """The data set of `part`, resident on `device` or left in mapped memory, as `loading` says (see `Hardware`)."""
    resident = loading == "resident" or (loading == "auto" and fits(part, device))
    return load_dataset(part, device if resident else torch.device("cpu"))


def fits(part: DataPart, device: torch.device) -> bool:
    """Whether all samples may stay on `device` beside what training needs; mapped memory on the CPU holds any."""
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return _stored_bytes(part) <= RESIDENT_SHARE * free


@functools.lru_cache(maxsize=4)
def _stored_bytes(part: DataPart) -> int:
    return sum(array.nbytes for array in decoded(part) if array is not None)


def _tensors(inputs: Any, targets: Any, device: torch.device) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(inputs).to(device), torch.from_numpy(targets).to(device)


def _samples(tensors: tuple[Tensor, Tensor], rows: NDArray[np.int64] | None) -> Samples:
    """The given rows; all where there are none given."""
    inputs, targets = tensors
    index = torch.arange(len(targets)) if rows is None else torch.from_numpy(rows)
    return Samples(inputs, targets, index.to(inputs.device))


def _moments(arrays: Decoded, rows: NDArray[np.int64]) -> list[NDArray[np.float32]]:
    """Mean, deviation, smallest and largest value of all training rows, whatever the fraction that is used of them."""
    inputs = arrays.inputs
    axes = (0, 1, 2) if arrays.images else (0,)
    total, square = np.zeros(1), np.zeros(1)
    low, high = np.full(1, np.inf), np.full(1, -np.inf)
    for start in range(0, len(rows), _CHUNK):
        chunk = inputs[rows[start : start + _CHUNK]].astype(np.float64)
        total, square = total + chunk.sum(axis=axes), square + (chunk**2).sum(axis=axes)
        low, high = np.minimum(low, chunk.min(axis=axes)), np.maximum(high, chunk.max(axis=axes))
    count = len(rows) * inputs[0].size // total.size
    mean = total / count
    std = np.sqrt(np.maximum(square / count - mean**2, 0))
    std[std < _SMALLEST_STD] = 1.0
    shape = (-1, 1, 1) if arrays.images else mean.shape
    return [value.astype(np.float32).reshape(shape) for value in (mean, std, low, high)]
