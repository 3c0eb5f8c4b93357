"""Arrays on disk, decoded data and features: made once, shared by all processes and studies. Needs no torch."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

from tunefast.errors import DataError
from tunefast.recipe.data import SPLIT_OPTIONS, DataPart, Decoded

CACHE_VERSION = 2
CACHE_VARIABLE = "TUNEFAST_CACHE"
CACHE_BYTES = 20 * 2**30
"""What each kind, decoded data or features, may take on disk before what was not used for longest is removed."""
_CONTENTS = "arrays.json"
"""Names the arrays of an entry, so that one which got lost is missed."""


Arrays = dict[str, NDArray[Any]]


def decoded(part: DataPart, key: str | None = None) -> Decoded:
    """The arrays of `part`, mapped from the cache; decoded into it first where they are not there.

    `key` is its `fingerprint`, for who has it: finding it looks at every file.
    """

    def decode(_: Arrays | None) -> Arrays:
        return {name: array for name, array in part.decode()._asdict().items() if array is not None}

    return Decoded(**kept_arrays("data", key or fingerprint(part), decode))


def kept_arrays(
    kind: str,
    key: str,
    make: Callable[[Arrays | None], Arrays],
    has_all: Callable[[Arrays], bool] = lambda _: True,
) -> Arrays:
    """The arrays under `key`, mapped from the cache; made and written there first where they are not there.

    Arrays that are there and lack something, as `has_all` says, are given to `make`, and what it makes replaces them;
    processes that have mapped them keep the old ones. Copy-on-write mapping: all processes share the pages, and none
    can change the file. Of processes that need the same arrays at once one makes them, and the others wait.
    """
    directory = cache_directory() / kind
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"the cache of {kind} cannot be made there ({error.strerror}); set {CACHE_VARIABLE}"
        raise DataError(path=directory, problem=problem) from error
    folder = directory / key
    with _locked(folder):
        arrays = _read(folder)
        if arrays is None or not has_all(arrays):
            _write(make(arrays), folder)
            arrays = _whole(folder)
        os.utime(folder)
    _evict(directory, keep=folder)
    return arrays


def found_arrays(kind: str, key: str) -> Arrays | None:
    """The arrays under `key`, mapped from the cache; None where they are not there."""
    return _read(cache_directory() / kind / key)


def cache_directory() -> Path:
    """Where decoded data is kept: $TUNEFAST_CACHE, else the user's cache directory."""
    return Path(os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("tunefast"))


def fingerprint(part: DataPart) -> str:
    """Changes with the source's options and files, not with the split."""
    options = {key: value for key, value in part.table().items() if key not in SPLIT_OPTIONS}
    key = json.dumps([CACHE_VERSION, options, [_stamp(path) for path in part.source()]], sort_keys=True)
    return hashlib.blake2b(key.encode(), digest_size=12).hexdigest()


def _stamp(path: str | Path) -> tuple[str, int, int]:
    try:
        status = os.stat(path)  # noqa: PTH116  of many files
    except OSError as error:
        raise DataError(path=path, problem=f"cannot be read ({error.strerror})") from error
    return str(path), status.st_size, status.st_mtime_ns


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Only one process at a time; a folder and the scratch folders that become it share a lock."""
    with folder.with_suffix(".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _write(arrays: Arrays, folder: Path) -> None:
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=folder.name + ".tmp"))
    try:
        for name, array in arrays.items():
            np.save(scratch / f"{name}.npy", array)
        (scratch / _CONTENTS).write_text(json.dumps(list(arrays)))
        _remove(folder)
        scratch.rename(folder)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _read(folder: Path) -> Arrays | None:
    """None where they are not there, or were cut short by a power failure."""
    try:
        return _whole(folder)
    except (OSError, EOFError, ValueError):
        return None


def _whole(folder: Path) -> Arrays:
    names = json.loads((folder / _CONTENTS).read_text())
    return {name: np.load(folder / f"{name}.npy", mmap_mode="c") for name in names}


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
    """Remove a set, its list of contents first: what is left by a kill halfway is not taken for a whole one."""
    (folder / _CONTENTS).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
