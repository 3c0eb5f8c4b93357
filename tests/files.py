"""Small data sets on disk, as tests need them."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
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


def write_mnist(root: Path, *, train: int = 60, test: int = 20, packed: bool = False) -> Path:
    """Write a small set of random images in MNIST's layout under `root`; returns its folder of files."""
    rng = np.random.default_rng(0)
    raw = root / "MNIST" / "raw"
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
