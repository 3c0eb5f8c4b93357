"""Decoded data on disk: read once, shared by all processes and studies. Needs no torch."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

from tunefast.errors import DataError
from tunefast.recipe.data import DataPart, Decoded

CACHE_VERSION = 1
CACHE_VARIABLE = "TUNEFAST_CACHE"
CACHE_BYTES = 20 * 2**30
"""What decoded data may take on disk before the sets that were not used for longest are removed."""


def decoded(part: DataPart) -> Decoded:
    """The arrays of `part`, mapped from the cache; decoded into it first where they are not there.

    Copy-on-write mapping: all processes share the pages, and none can change the file.
    """
    directory = cache_directory() / "data"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"the cache of decoded data cannot be made there ({error.strerror}); set {CACHE_VARIABLE}"
        raise DataError(path=directory, problem=problem) from error
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
