"""Small data sets on disk, as tests need them."""

from __future__ import annotations

import gzip
import hashlib
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

COLOURS = {"blue": (0, 0, 255), "green": (0, 255, 0), "red": (255, 0, 0)}


def write_idx(path: Path, array: NDArray[np.uint8], *, packed: bool = False) -> Path:
    """Write `array` in MNIST's format, with gzip where `packed`; returns the file's path."""
    content = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    path = path.with_name(path.name + ".gz") if packed else path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


def write_mnist(root: Path, *, train: int = 60, test: int = 20, packed: bool = False, folder: str = "MNIST") -> Path:
    """Write a small set of random images in MNIST's layout under ``root/folder``; returns its folder of files."""
    rng = np.random.default_rng(0)
    raw = root / folder / "raw"
    for prefix, count in (("train", train), ("t10k", test)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = rng.integers(0, 256, size=(count, 28, 28), dtype=np.uint8)
        write_idx(raw / f"{prefix}-images-idx3-ubyte", images, packed=packed)
        write_idx(raw / f"{prefix}-labels-idx1-ubyte", labels, packed=packed)
    return raw


def write_images(root: Path, *, per_class: int = 8, size: int = 6) -> Path:
    """Write PNGs of one colour under ``root/<colour>/``; returns `root`."""
    for name, colour in COLOURS.items():
        folder = root / name
        folder.mkdir(parents=True)
        for index in range(per_class):
            Image.new("RGB", (size + index % 3, size), colour).save(folder / f"{index:02}.png")
    return root


def write_cifar(root: Path, reader: Any, *, per_class: int = 6) -> Path:
    """Write a small set of random images in the files of torchvision's `reader`, CIFAR10 or CIFAR100, under `root`."""
    folder = root / str(reader.base_folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in _cifar_files(reader, per_class).items():
        (folder / name).write_bytes(content)
    return folder


def trust_cifar(patch: pytest.MonkeyPatch, reader: Any, *, per_class: int = 6) -> None:
    """Make the checksums that `reader` wants those of the small set that `write_cifar` writes."""
    sums = {name: hashlib.md5(content).hexdigest() for name, content in _cifar_files(reader, per_class).items()}  # noqa: S324 - torchvision's choice
    for which in ("train_list", "test_list"):
        patch.setattr(reader, which, [[name, sums[name]] for name, _ in getattr(reader, which)])
    patch.setattr(reader, "meta", {**reader.meta, "md5": sums[reader.meta["filename"]]})


def fill_up(path: Path) -> None:
    """Leave no byte free."""
    with path.open("wb", buffering=0) as ballast:
        for size in (2**16, 2**12, 1):
            try:
                while True:
                    ballast.write(bytes(size))
            except OSError:
                continue


def _cifar_files(reader: Any, per_class: int) -> dict[str, bytes]:
    """The content of each file; every one has some images of every class."""
    fine = reader.meta["key"] == "fine_label_names"
    rng = np.random.default_rng(0)
    classes = np.arange((100 if fine else 10) * per_class) % (100 if fine else 10)
    files: dict[str, Any] = {reader.meta["filename"]: {reader.meta["key"]: [str(label) for label in set(classes)]}}
    for name, _ in (*reader.train_list, *reader.test_list):
        data = rng.integers(0, 256, size=(len(classes), 3 * 32 * 32), dtype=np.uint8)
        data[:, 0] = classes
        files[name] = {"data": data, "fine_labels" if fine else "labels": classes.tolist()}
    return {name: pickle.dumps(content, protocol=2) for name, content in files.items()}


def write_npz(path: Path, **arrays: Any) -> Path:
    """Write a small table of three classes, or with `arrays` added or in its place; returns the file's path."""
    rng = np.random.default_rng(0)
    table = {"inputs": rng.normal(size=(60, 4)).astype(np.float32), "targets": np.arange(60) % 3}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{**table, **arrays})
    return path
