"""From a data part to tensors: decoded once, cached for all processes, split the same way for all trials."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import torch
from numpy.typing import NDArray
from torch import Tensor

from tunefast.errors import DataError
from tunefast.nn.models import IMAGE_AXES
from tunefast.recipe.data import DataPart, Decoded

CACHE_VERSION = 1
CACHE_VARIABLE = "TUNEFAST_CACHE"
CACHE_BYTES = 20 * 2**30
"""What decoded data may take on disk before the sets that were not used for longest are removed."""
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
    num_classes: int
    mean: Tensor
    std: Tensor

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample as a model sees it: (channels, height, width), or (features,)."""
        rest = tuple(self.inputs.shape[1:])
        return (rest[2], rest[0], rest[1]) if len(rest) == IMAGE_AXES else rest

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


def decoded(part: DataPart) -> Decoded:
    """The arrays of `part`, mapped from the cache; decoded into it first where they are not there.

    Copy-on-write mapping: all processes share the pages, and none can change the file.
    """
    directory = cache_directory() / "data"
    directory.mkdir(parents=True, exist_ok=True)
    folder = directory / _fingerprint(part)
    with _locked(folder):
        try:
            arrays = _read(folder)
        except (OSError, EOFError, ValueError):  # not there, or cut short by a power failure
            _write(part.decode(), folder)
            arrays = _read(folder)
        os.utime(folder)
    _evict(directory, keep=folder)
    return arrays


def cache_directory() -> Path:
    """Where decoded data is kept: $TUNEFAST_CACHE, else the user's cache directory."""
    return Path(os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("tunefast"))


def _fingerprint(part: DataPart) -> str:
    """Changes with the source's options and files, not with the split."""
    options = {key: value for key, value in part.table().items() if key not in ("validation", "split_seed")}
    files = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in part.source()]
    key = json.dumps([CACHE_VERSION, options, files], sort_keys=True)
    return hashlib.blake2b(key.encode(), digest_size=12).hexdigest()


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Only one process at a time; a folder and the scratch folders that become it share a lock."""
    with folder.with_suffix(".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _write(arrays: Decoded, folder: Path) -> None:
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=folder.name + ".tmp"))
    try:
        for name, array in arrays._asdict().items():
            if array is not None:
                np.save(scratch / f"{name}.npy", array)
        _remove(folder)
        scratch.rename(folder)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _read(folder: Path) -> Decoded:
    def load(name: str) -> NDArray[Any]:
        return np.load(folder / f"{name}.npy", mmap_mode="c")  # type: ignore[no-any-return]

    tested = (folder / "test_labels.npy").exists()
    test_arrays = (load("test_inputs"), load("test_labels")) if tested else (None, None)
    return Decoded(load("inputs"), load("labels"), *test_arrays)


def _evict(directory: Path, keep: Path) -> None:
    """Remove the sets used longest ago until the rest fit into `CACHE_BYTES`."""
    with contextlib.suppress(FileNotFoundError):  # another process is at it too
        folders = sorted((path for path in directory.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
        sizes = {folder: sum(file.stat().st_size for file in folder.iterdir()) for folder in folders}
        for folder in folders:
            if sum(sizes.values()) <= CACHE_BYTES:
                return
            if folder != keep:
                with _locked(folder):
                    _remove(folder)
                del sizes[folder]


def _remove(folder: Path) -> None:
    """Remove a set, its inputs first: what is left by a kill halfway is not taken for a whole one."""
    (folder / "inputs.npy").unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
