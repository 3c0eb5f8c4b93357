"""Data sets: where samples come from, and how they are split.

A data part decodes its source into arrays once; `tunefast.train.datasets` caches them and makes the split.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field

from tunefast.errors import DataError
from tunefast.recipe.part import Part

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DATA_VARIABLE = "TUNEFAST_DATA"
IMAGE_AXES = 3
_IDX_UINT8 = 8


class Decoded(NamedTuple):
    """A data set as arrays, before any split.

    Images are uint8 [N, H, W, C], tables float32 [N, F]; labels int64 [N].
    """

    inputs: NDArray[Any]
    labels: NDArray[np.int64]
    test_inputs: NDArray[Any] | None
    test_labels: NDArray[np.int64] | None

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample as a model sees it: (channels, height, width), or (features,)."""
        rest = self.inputs.shape[1:]
        return (rest[2], rest[0], rest[1]) if len(rest) == IMAGE_AXES else rest


class DataPart(Part):
    """How the samples that are not test samples are split; the same for all trials of a study."""

    validation: float = Field(0.1, gt=0, lt=1)
    """Share of the samples, of each class alike, that is kept for validation."""
    split_seed: int = Field(0, ge=0)
    """Decides which samples those are."""

    def located(self) -> Self:
        """The same part with its place on disk made absolute; raises `DataError` where there is none."""
        return self

    def source(self) -> list[Path]:
        """The files that `decode` reads, to tell whether a cached copy is still good."""
        return []

    def decode(self) -> Decoded:
        """Read the whole set into arrays; raises `DataError` where it is missing or damaged."""
        raise NotImplementedError


class Digits(DataPart):
    """1,797 handwritten digits of 8x8 pixels from scikit-learn: embedded, so it needs no download."""

    name: Literal["digits"] = "digits"

    def decode(self) -> Decoded:
        """Images uint8 [1797, 8, 8, 1] with values 0 to 16."""
        from sklearn.datasets import load_digits

        images, labels = load_digits(return_X_y=True)
        return Decoded(images.reshape(-1, 8, 8, 1).astype("uint8"), labels.astype("int64"), None, None)


class Synthetic(DataPart):
    """Gaussian clouds, one per class, around seeded centres: no files, any size, any difficulty."""

    name: Literal["synthetic"] = "synthetic"
    samples: int = Field(2000, ge=10)
    """Samples in all."""
    features: int = Field(20, ge=1)
    """Numbers per sample."""
    classes: int = Field(4, ge=2)
    """Classes, equally likely."""
    noise: float = Field(1.0, ge=0)
    """Standard deviation around a class's centre; centres are about 1 from the origin in each feature."""
    seed: int = Field(0, ge=0)
    """Decides centres and samples."""

    def decode(self) -> Decoded:
        """Tables float32 [samples, features]."""
        import numpy as np

        rng = np.random.default_rng(self.seed)
        centres = rng.normal(size=(self.classes, self.features))
        labels = rng.permutation(np.arange(self.samples) % self.classes)
        inputs = centres[labels] + self.noise * rng.normal(size=(self.samples, self.features))
        return Decoded(inputs.astype("float32"), labels.astype("int64"), None, None)


class RootedPart(DataPart):
    """A data set in a directory."""

    root: str | None = None
    """The directory; by default the one that the environment variable TUNEFAST_DATA names."""

    def located(self) -> Self:
        """The part with `root` absolute: as given, else $TUNEFAST_DATA, else a folder of the set's name in there."""
        given = self.root if self.root is not None else os.environ.get(DATA_VARIABLE)
        name = getattr(self, "name", "")
        if given is None:
            raise DataError(
                path=f"data {name!r}", problem=f"no directory given: set data.root in the spec, or {DATA_VARIABLE}"
            )
        root = Path(given).expanduser().absolute()
        if self.root is None and not self.holds(root) and self.holds(root / name):
            root = root / name
        return self.model_copy(update={"root": str(root)})

    def holds(self, root: Path) -> bool:
        """Whether `root` looks like this set."""
        raise NotImplementedError

    @property
    def directory(self) -> Path:
        """The root as a path; raises `DataError` where it is not a directory."""
        located = self.located()
        path = Path(str(located.root))
        if not path.is_dir():
            raise DataError(path=path, problem="no such directory")
        return path


class Mnist(RootedPart):
    """60,000 + 10,000 handwritten digits of 28x28 pixels, in torchvision's layout: ``root/MNIST/raw/*-ubyte[.gz]``."""

    name: Literal["mnist"] = "mnist"
    download: bool = False
    """Fetch the files with torchvision where they are missing."""

    def holds(self, root: Path) -> bool:
        """Whether there is a ``MNIST/raw`` folder."""
        return (root / "MNIST" / "raw").is_dir()

    def source(self) -> list[Path]:
        """The four idx files, packed or not; fetches them first where told to."""
        located = self.located()
        root = Path(str(located.root))
        if self.download and not self.holds(root):
            from torchvision.datasets import MNIST

            MNIST(str(root), download=True)
        parts = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
        return [_packed_or_not(self.directory / "MNIST" / "raw" / f"{part}-ubyte") for part in parts]

    def decode(self) -> Decoded:
        """Images uint8 [60000, 28, 28, 1], test images uint8 [10000, 28, 28, 1]."""
        train_images, train_labels, test_images, test_labels = self.source()
        return Decoded(*_read_pair(train_images, train_labels), *_read_pair(test_images, test_labels))


class ImageFolder(RootedPart):
    """Images in one folder per class: ``root/<class>/*``, or ``root/train/<class>/*`` with ``root/test/<class>/*``."""

    name: Literal["image_folder"] = "image_folder"
    image_size: int = Field(32, ge=1)
    """Height and width that every image is scaled to (shorter side first, then cut from the middle)."""

    def holds(self, root: Path) -> bool:
        """Whether there is a folder inside."""
        return root.is_dir() and any(child.is_dir() for child in root.iterdir())

    def _split(self) -> tuple[Path, Path | None]:
        root = self.directory
        if (root / "train").is_dir():
            return root / "train", root / "test" if (root / "test").is_dir() else None
        return root, None

    def source(self) -> list[Path]:
        """Every file and folder inside, so that an image that comes, goes or is painted over is noticed."""
        folders = [folder for folder in self._split() if folder is not None]
        return [child for folder in folders for child in sorted(folder.rglob("*"))]

    def decode(self) -> Decoded:
        """Images uint8 [N, image_size, image_size, 3]; classes are numbered in the order of their names."""
        train, test = self._split()
        inputs, labels, classes = self._read(train)
        if test is None:
            return Decoded(inputs, labels, None, None)
        test_inputs, test_labels, test_classes = self._read(test)
        if test_classes != classes:
            problem = f"classes {test_classes} differ from those of the training part, {classes}"
            raise DataError(path=test, problem=problem)
        return Decoded(inputs, labels, test_inputs, test_labels)

    def _read(self, folder: Path) -> tuple[NDArray[Any], NDArray[np.int64], list[str]]:
        import numpy as np
        from torchvision.datasets import ImageFolder as Folder
        from torchvision.transforms.v2.functional import center_crop, resize

        try:
            listing = Folder(str(folder))
        except FileNotFoundError as error:
            raise DataError(path=folder, problem=f"no images in class folders ({error})") from error
        size = self.image_size
        inputs = np.empty((len(listing), size, size, 3), dtype="uint8")
        for index, (path, _) in enumerate(listing.samples):
            try:
                image = listing.loader(path).convert("RGB")
            except (OSError, SyntaxError, ValueError, struct.error, zlib.error) as error:  # what Pillow's readers raise
                raise DataError(path=path, problem=f"not a readable image ({error})") from error
            if image.size != (size, size):
                image = center_crop(resize(image, [size]), [size, size])
            inputs[index] = np.asarray(image)
        return inputs, np.asarray(listing.targets, dtype="int64"), listing.classes


def _packed_or_not(path: Path) -> Path:
    for candidate in (path, path.with_name(path.name + ".gz")):
        if candidate.is_file():
            return candidate
    raise DataError(path=path, problem="no such file, nor one that ends in .gz")


def _read_pair(image_file: Path, label_file: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images [N, H, W, 1] and their labels [N]."""
    images, labels = _read_idx(image_file, num_axes=3), _read_idx(label_file, num_axes=1)
    if len(images) != len(labels):
        raise DataError(path=image_file, problem=f"{len(images)} images, but {len(labels)} labels beside it")
    return images[..., None], labels.astype("int64")


def _read_idx(path: Path, num_axes: int) -> NDArray[np.uint8]:
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
    return values.reshape(shape)


Data = Annotated[Digits | Mnist | ImageFolder | Synthetic, Field(discriminator="name")]
