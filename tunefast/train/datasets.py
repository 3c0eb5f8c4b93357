"""From a data part to tensors: split the same way for all trials, with the statistics of the training part alone."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tunefast.nn.trees import Tree, mapped
from tunefast.recipe.data import IMAGE_AXES, SPLIT_OPTIONS, DataPart, Decoded, Targets
from tunefast.train.cache import decoded, fingerprint
from tunefast.train.records import as_tensor, layout, taken_apart
from tunefast.train.splits import SMALLEST_STD, split, standardized

RESIDENT_SHARE = 0.5
"""Of a device's free memory: what samples may take there."""
_CHUNK = 256
"""Samples of which statistics are taken at a time: as float64 those of small images fit into a processor's cache."""


class Batch(NamedTuple):
    """Samples as they are stored, with the rows they stand in."""

    inputs: Tree
    targets: Tree
    rows: Tensor

    def to(self, device: torch.device) -> Batch:
        """The batch on `device`; the copy from pinned memory does not wait."""
        return Batch(*(mapped(lambda tensor: tensor.to(device, non_blocking=True), tree) for tree in self))


class Layouts(NamedTuple):
    """What the bytes of records are; None where samples are tensors."""

    inputs: np.dtype[Any] | None = None
    targets: np.dtype[Any] | None = None


NO_LAYOUTS = Layouts()


@dataclass(frozen=True)
class Samples:
    """One part of a data set: some rows of arrays that other parts may share.

    `inputs` are images as uint8 [N, H, W, C], or anything else as float32 [N, ...]; `targets` as `Targets` says.
    Records are rows of bytes in both, uint8 [N, B], which are taken apart as they are taken.
    """

    inputs: Tensor
    targets: Tensor
    rows: Tensor
    layouts: Layouts = NO_LAYOUTS

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, positions: Tensor) -> Batch:
        """The samples at `positions` of this part."""
        rows = self.rows[positions]
        inputs, targets = self.inputs[rows], self.targets[rows]
        return Batch(taken_apart(inputs, self.layouts.inputs), taken_apart(targets, self.layouts.targets), rows)


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
    is_images: bool
    """Whether samples are stored as bytes, [N, H, W, C]."""
    scaled: bool
    """Whether samples are images or real numbers, which are scaled; else they are as the data has them."""


@functools.lru_cache(maxsize=4)
def load_dataset(part: DataPart, device: torch.device) -> Dataset:
    """The data set of `part`, its samples on `device`, kept in this process for the trials that follow.

    Raises `DataError` where it is missing, damaged, or too small for the split.
    """
    source = _source(_unsplit(part), device)
    parts = split(source.arrays, part)
    arrays = standardized(source.arrays, parts, part)
    inputs, val_inputs, test_inputs = source.inputs, source.val_inputs, source.test_inputs
    targets = as_tensor(arrays.targets).to(device)
    validation, test = (inputs, targets), (inputs, targets)
    if val_inputs is not None and arrays.val_targets is not None:
        validation = val_inputs, as_tensor(arrays.val_targets).to(device)
    if test_inputs is not None and arrays.test_targets is not None:
        test = test_inputs, as_tensor(arrays.test_targets).to(device)
    kind = arrays.target_kind
    layouts = Layouts(layout(arrays.inputs), layout(arrays.targets))
    return Dataset(
        train=_samples((inputs, targets), parts.train, layouts),
        validation=_samples(validation, parts.validation, layouts),
        test=_samples(test, parts.test, layouts),
        sample_shape=arrays.sample_shape,
        targets=Targets.of(arrays.targets[parts.train], kind.size if kind.kind == "classes" else None),
        moments=Moments(*(torch.from_numpy(value).to(device) for value in _moments(arrays, parts.pool))),
        fingerprint=source.fingerprint,
        is_images=arrays.images,
        scaled=arrays.scaled,
    )


def dataset_for(part: DataPart, device: torch.device, loading: str) -> Dataset:
    """The data set of `part`, resident on `device` or left in mapped memory, as `loading` says (see `Hardware`)."""
    resident = loading == "resident" or (loading == "auto" and fits(part, device))
    return load_dataset(part, device if resident else torch.device("cpu"))


def fits(part: DataPart, device: torch.device) -> bool:
    """Whether all samples may stay on `device` beside what training needs; mapped memory on the CPU holds any."""
    return device.type != "cuda" or _fits(_unsplit(part), device)


@functools.lru_cache(maxsize=16)
def _fits(source: DataPart, device: torch.device) -> bool:
    """Decided once: when the samples are there, they take the memory that is asked for."""
    free, _ = torch.cuda.mem_get_info(device)
    size = sum(array.nbytes for array in decoded(source) if array is not None)
    return size <= RESIDENT_SHARE * free


def _unsplit(part: DataPart) -> DataPart:
    """The part with the options at their defaults that only say how samples are used."""
    options = {name: type(part).model_fields[name].default for name in SPLIT_OPTIONS & type(part).model_fields.keys()}
    return part.model_copy(update=options)


class _Source(NamedTuple):
    """What a data set is read from, whatever its split; samples are on the device that was asked for."""

    arrays: Decoded
    fingerprint: str
    inputs: Tensor
    val_inputs: Tensor | None
    test_inputs: Tensor | None


@functools.lru_cache(maxsize=2)
def _source(part: DataPart, device: torch.device) -> _Source:
    key = fingerprint(part)
    arrays = decoded(part, key)

    def moved(samples: NDArray[Any] | None) -> Tensor | None:
        return None if samples is None else as_tensor(samples).to(device)

    inputs = as_tensor(arrays.inputs).to(device)
    return _Source(arrays, key, inputs, moved(arrays.val_inputs), moved(arrays.test_inputs))


def _samples(tensors: tuple[Tensor, Tensor], rows: NDArray[np.int64] | None, layouts: Layouts) -> Samples:
    """The given rows; all where there are none given."""
    inputs, targets = tensors
    index = torch.arange(len(targets)) if rows is None else torch.from_numpy(rows)
    return Samples(inputs, targets, index.to(inputs.device), layouts)


def _moments(arrays: Decoded, rows: NDArray[np.int64]) -> list[NDArray[np.float32]]:
    """Mean, deviation, smallest and largest value of all training rows, whatever the fraction that is used of them.

    0 and 1 twice for what is not scaled.
    """
    if not arrays.scaled:
        return [np.full(1, value, np.float32) for value in (0, 1, 0, 1)]
    inputs = arrays.inputs
    channels_first = not arrays.images and len(arrays.sample_shape) == IMAGE_AXES
    axes = (1,) if arrays.images else (0, 2, 3) if channels_first else (0,)
    total, square = np.zeros(1), np.zeros(1)
    low, high = np.full(1, np.inf), np.full(1, -np.inf)
    for start in range(0, len(rows), _CHUNK):
        chunk = inputs[rows[start : start + _CHUNK]]
        if arrays.images:  # a channel's bytes side by side, of which sums are exact in any order, and soon made
            chunk = np.ascontiguousarray(chunk.reshape(-1, chunk.shape[-1]).T)
        low, high = np.minimum(low, chunk.min(axis=axes)), np.maximum(high, chunk.max(axis=axes))
        chunk = chunk.astype(np.float64)
        total, square = total + chunk.sum(axis=axes), square + (chunk**2).sum(axis=axes)
    count = len(rows) * inputs[0].size // total.size
    mean = total / count
    std = np.sqrt(np.maximum(square / count - mean**2, 0))
    std[std < SMALLEST_STD] = 1.0
    shape = (-1, 1, 1) if len(arrays.sample_shape) == IMAGE_AXES else mean.shape
    return [value.astype(np.float32).reshape(shape) for value in (mean, std, low, high)]
