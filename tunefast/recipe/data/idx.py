"""MNIST and its kin: images and labels in idx files."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from tunefast.errors import DataError
from tunefast.recipe.data.part import Decoded, RootedPart

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_IDX_UINT8 = 8
_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


class IdxPart(RootedPart):
    """A data set in four idx files, in torchvision's layout."""

    torchvision_name: ClassVar[str]
    """The class of torchvision that fetches it, and the folder that it fetches it to."""

    download: bool = False
    """Fetch the files with torchvision where they are missing."""

    def holds(self, root: Path) -> bool:
        """Whether there is the folder of the four files."""
        return self._raw(root).is_dir()

    def _raw(self, root: Path) -> Path:
        return root / self.torchvision_name / "raw"

    def source(self) -> list[Path]:
        """The four idx files, packed or not; fetches them first where told to."""
        if self.download and any(_packed_or_not(self._raw(self.place), name) is None for name in _FILES):
            fetch(self.torchvision_name, self.place)
        raw = self._raw(self.directory)
        found = {name: _packed_or_not(raw, name) for name in _FILES}
        for name, path in found.items():
            if path is None:
                raise DataError(path=raw / name, problem="no such file, nor one that ends in .gz")
        return [path for path in found.values() if path is not None]

    def decode(self) -> Decoded:
        """Images uint8 [N, H, W, 1] and classes int64 [N], and those of the test part."""
        train_images, train_labels, test_images, test_labels = self.source()
        return Decoded(*_read_pair(train_images, train_labels), *_read_pair(test_images, test_labels))


class Mnist(IdxPart):
    """60,000 + 10,000 handwritten digits of 28x28 pixels, in torchvision's layout: ``root/MNIST/raw/*-ubyte[.gz]``.

    Ten classes. Easy: a linear model reaches 92 %, a small convolutional network 99 %. Source: LeCun et al. 1998.
    """

    torchvision_name = "MNIST"
    name: Literal["mnist"] = "mnist"


class FashionMnist(IdxPart):
    """60,000 + 10,000 grey pictures of clothes, 28x28 pixels: ``root/FashionMNIST/raw/*-ubyte[.gz]``.

    Ten classes; as cheap as MNIST, but recipes differ more on it. Source: Xiao et al. 2017, arXiv:1708.07747.
    """

    torchvision_name = "FashionMNIST"
    name: Literal["fashion_mnist"] = "fashion_mnist"


def fetch(torchvision_name: str, root: Path) -> None:
    """Let torchvision download one of its sets to `root`; raises `DataError` where that fails."""
    from torchvision import datasets

    try:
        getattr(datasets, torchvision_name)(str(root), download=True)
    except (OSError, RuntimeError) as error:  # URLError is an OSError; a wrong checksum a RuntimeError
        raise DataError(path=root, problem=f"{torchvision_name} cannot be downloaded to there ({error})") from error


def _packed_or_not(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _read_pair(image_file: Path, label_file: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images [N, H, W, 1] and their labels [N]."""
    images, labels = read_idx(image_file, num_axes=3), read_idx(label_file, num_axes=1)
    if len(images) != len(labels):
        raise DataError(path=image_file, problem=f"{len(images)} images, but {len(labels)} labels beside it")
    return images[..., None], labels.astype("int64")


def read_idx(path: Path, num_axes: int) -> NDArray[np.uint8]:
    """The array in an idx file, packed with gzip or not (http://yann.lecun.com/exdb/mnist describes the format)."""
    import numpy as np

    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(path=path, problem=f"damaged ({error})") from error
    header = 4 + 4 * num_axes
    if not content.startswith(bytes([0, 0, _IDX_UINT8, num_axes])) or len(content) < header:
        raise DataError(path=path, problem=f"damaged: not an idx file of bytes with {num_axes} axes")
    shape = struct.unpack(f">{num_axes}I", content[4:header])
    values = np.frombuffer(content, dtype=np.uint8, offset=header)
    if values.size != math.prod(shape):
        raise DataError(path=path, problem=f"damaged: {values.size} values where its header says {shape}")
    if not values.size:
        raise DataError(path=path, problem="there are no values in it")
    return values.reshape(shape)
