"""CIFAR: small colour photographs, in the archives that torchvision reads."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tunefast.errors import DataError
from tunefast.recipe.data.idx import fetch
from tunefast.recipe.data.part import Decoded, RootedPart

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class CifarPart(RootedPart):
    """A data set in Python's pickle format, which torchvision opens once their checksums are right."""

    torchvision_name: ClassVar[str]
    """The class of torchvision that reads and fetches it."""
    folder: ClassVar[str]
    """Where in `root` its files are."""
    files: ClassVar[tuple[str, ...]]

    download: bool = False
    """Fetch the files with torchvision where they are missing."""

    def holds(self, root: Path) -> bool:
        """Whether there is the folder of the files."""
        return (root / self.folder).is_dir()

    def source(self) -> list[Path]:
        """The files; fetches them first where told to."""
        paths = [self.place / self.folder / name for name in self.files]
        if self.download and not all(path.is_file() for path in paths):
            fetch(self.torchvision_name, self.place)
        for path in paths:
            if not path.is_file():
                raise DataError(path=path, problem="no such file; data.download = true fetches it")
        return paths

    def decode(self) -> Decoded:
        """Images uint8 [50000, 32, 32, 3] and classes int64 [50000], and 10,000 of each for testing."""
        self.source()
        return Decoded(*self._read(train=True), *self._read(train=False))

    def _read(self, *, train: bool) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        import numpy as np
        from torchvision import datasets

        reader: Any = getattr(datasets, self.torchvision_name)
        self._verify(reader)
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=".*align", category=np.exceptions.VisibleDeprecationWarning)
                dataset = reader(str(self.place), train=train)
        except RuntimeError as error:
            raise DataError(path=self.place / self.folder, problem=f"damaged ({error})") from error
        return np.ascontiguousarray(dataset.data), np.asarray(dataset.targets, dtype="int64")

    def _verify(self, reader: Any) -> None:
        """Name the file whose checksum is wrong, which torchvision's own refusal does not."""
        from torchvision.datasets.utils import check_integrity

        meta = (reader.meta["filename"], reader.meta["md5"])
        for name, checksum in (*reader.train_list, *reader.test_list, meta):
            path = self.place / self.folder / name
            if not check_integrity(str(path), checksum):
                raise DataError(path=path, problem=f"damaged: its MD5 sum is not {checksum}, so it is not unpickled")


class Cifar10(CifarPart):
    """50,000 + 10,000 colour photographs of 32x32 pixels: ``root/cifar-10-batches-py/*``, as torchvision fetches it.

    Ten classes. Flips and crops pay; small residual networks reach 94 %. Source: Krizhevsky 2009.
    """

    torchvision_name = "CIFAR10"
    folder = "cifar-10-batches-py"
    files = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta")
    name: Literal["cifar10"] = "cifar10"


class Cifar100(CifarPart):
    """50,000 + 10,000 colour photographs of 32x32 pixels: ``root/cifar-100-python/*``, as torchvision fetches it.

    A hundred classes with 500 training samples each, so regularisation pays more than on CIFAR-10. Source: Krizhevsky
    2009.
    """

    torchvision_name = "CIFAR100"
    folder = "cifar-100-python"
    files = ("train", "test", "meta")
    name: Literal["cifar100"] = "cifar100"
