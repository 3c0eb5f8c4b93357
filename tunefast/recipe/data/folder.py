"""Images in one folder per class."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tunefast.errors import DataError
from tunefast.recipe.data.part import Decoded, RootedPart
from tunefast.recipe.data.reading import read_images

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
_OWN_PARTS = ("train", "val", "test")


class ImageFolder(RootedPart):
    """Images in one folder per class: ``root/<class>/*``, or ``root/train/<class>/*`` with or without val and test.

    ``root/val/<class>/*`` is the validation part and ``root/test/<class>/*`` the test part where they are there; what
    is not is split off from the rest. Every image is decoded once, on all cores (0.2 ms of one for 32x32 pixels), and
    then mapped from the cache. Sides other than the middle of long images are lost; larger `image_size` costs its
    square in memory and time.
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

    def source(self) -> list[str]:
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

        by_class = images_in(folder)
        paths = [path for images in by_class.values() for path in images]
        targets = np.repeat(np.arange(len(by_class)), [len(images) for images in by_class.values()])
        return read_images(paths, self.image_size), targets.astype("int64"), list(by_class)


def images_in(folder: Path) -> dict[str, list[str]]:
    """The images of each class, a folder each, in the order of torchvision's ``ImageFolder``, which would load torch.

    Raises `DataError` where there is no class, or one without images.
    """
    found: dict[str, list[str]] = {}
    for name in sorted(entry.name for entry in os.scandir(folder) if entry.is_dir()):
        parents = sorted(os.walk(folder / name, followlinks=True))
        found[name] = [
            f"{parent}/{file}"
            for parent, _, files in parents
            for file in sorted(files)
            if file.lower().endswith(_EXTENSIONS)
        ]
    empty = ", ".join(name for name, images in found.items() if not images)
    if empty or not found:
        known = f"in {empty}; images end in {' '.join(_EXTENSIONS)}" if empty else "since there are none"
        raise DataError(path=folder, problem=f"no images in class folders, {known}")
    return found


def files_in(folder: Path) -> list[str]:
    """Every file and folder inside, in a fixed order; empty where `folder` is none.

    They are names and no paths, of which Python makes 30,000 a second.
    """
    found: list[str] = []
    for parent, folders, files in os.walk(folder, followlinks=True):
        found.extend(f"{parent}/{name}" for name in (*folders, *files))
    return sorted(found)
