"""Images in one folder per class."""

from __future__ import annotations

import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tunefast.errors import DataError
from tunefast.recipe.data.part import Decoded, RootedPart

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

_MAX_THREADS = 16
_CHUNK = 64
_THREADS_PAY = 64
"""Pixels of a side from which several threads decode faster: below, they only wait for the interpreter's lock."""
_OWN_PARTS = ("train", "val", "test")


class ImageFolder(RootedPart):
    """Images in one folder per class: ``root/<class>/*``, or ``root/train/<class>/*`` with or without val and test.

    ``root/val/<class>/*`` is the validation part and ``root/test/<class>/*`` the test part where they are there; what
    is not is split off from the rest. Every image is decoded once (about 0.1 ms for 32x32 pixels) and then mapped from
    the cache. Sides other than the middle of long images are lost; larger `image_size` costs its square in memory and
    time.
    """

    name: Literal["image_folder"] = "image_folder"
    image_size: int = Field(32, ge=1)
    """Height and width that every image is scaled to (shorter side first, then cut from the middle)."""

    def holds(self, root: Path) -> bool:
        """Whether there is a folder inside."""
        return root.is_dir() and any(child.is_dir() for child in root.iterdir())

    def _folders(self) -> tuple[Path, Path | None, Path | None]:
        """The folders of the training, validation and test part."""
        root = self.directory
        train, val, test = (root / part for part in _OWN_PARTS)
        if not train.is_dir():
            return root, None, None
        return train, val if val.is_dir() else None, test if test.is_dir() else None

    def source(self) -> list[Path]:
        """Every file and folder inside, so that an image that comes, goes or is painted over is noticed."""
        return [path for folder in self._folders() if folder is not None for path in files_in(folder)]

    def decode(self) -> Decoded:
        """Images uint8 [N, image_size, image_size, 3]; classes are numbered in the order of their names."""
        train, val, test = self._folders()
        inputs, targets, classes = self._read(train)
        val_inputs, val_targets = self._read_like(val, classes)
        test_inputs, test_targets = self._read_like(test, classes)
        return Decoded(inputs, targets, test_inputs, test_targets, val_inputs, val_targets)

    def _read_like(
        self, folder: Path | None, classes: list[str]
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]] | tuple[None, None]:
        if folder is None:
            return None, None
        inputs, targets, found = self._read(folder)
        if found != classes:
            raise DataError(path=folder, problem=f"classes {found} differ from those of the training part, {classes}")
        return inputs, targets

    def _read(self, folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64], list[str]]:
        import numpy as np
        from torchvision.datasets import ImageFolder as Folder

        try:
            listing = Folder(str(folder))
        except FileNotFoundError as error:
            raise DataError(path=folder, problem=f"no images in class folders ({error})") from error
        paths = [path for path, _ in listing.samples]
        return read_images(paths, self.image_size), np.asarray(listing.targets, dtype="int64"), listing.classes


def files_in(folder: Path) -> list[Path]:
    """Every file and folder inside, in a fixed order; empty where `folder` is none."""
    found: list[str] = []
    for parent, folders, files in os.walk(folder, followlinks=True):
        found.extend(f"{parent}/{name}" for name in (*folders, *files))
    return [Path(path) for path in sorted(found)]


def read_images(paths: list[str], size: int) -> NDArray[np.uint8]:
    """The images as [N, size, size, 3]; raises `DataError` with the path of one that cannot be read."""
    import numpy as np

    images = np.empty((len(paths), size, size, 3), dtype="uint8")

    def read(start: int) -> int:
        """Reads a chunk of images; returns the longest side of the first as it is on disk."""
        longest = [_read_image(path, images[start + row]) for row, path in enumerate(paths[start : start + _CHUNK])]
        return longest[0]

    starts = range(_CHUNK, len(paths), _CHUNK)
    if max(read(0), size) < _THREADS_PAY:
        for start in starts:
            read(start)
    else:
        with ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as pool:
            for _ in pool.map(read, starts):
                pass
    return images


def _read_image(path: str, into: NDArray[np.uint8]) -> int:
    """Fill `into`, [size, size, 3], with the image; returns the longer side that it has on disk."""
    import numpy as np
    from PIL import Image

    size = len(into)
    try:
        with Image.open(path) as image:
            longest = max(image.size)
            image.draft(None, (2 * size, 2 * size))  # JPEGs decode at a fraction, but at least at twice what is needed
            into[:] = np.asarray(_middle(image if image.mode == "RGB" else image.convert("RGB"), size))
    except (
        OSError, SyntaxError, ValueError, struct.error, zlib.error, Image.DecompressionBombError
    ) as error:  # what Pillow's readers raise  # fmt: skip
        raise DataError(path=path, problem=f"not a readable image ({error})") from error
    return longest


def _middle(image: Image.Image, size: int) -> Image.Image:
    """The image scaled so that the shorter side is `size`, then cut from the middle, as torchvision does both."""
    from PIL.Image import Resampling

    if image.size == (size, size):
        return image
    width, height = image.size
    shorter = min(width, height)
    scaled = (size * width // shorter, size * height // shorter)
    left, top = (round((side - size) / 2) for side in scaled)
    return image.resize(scaled, Resampling.BILINEAR).crop((left, top, left + size, top + size))
