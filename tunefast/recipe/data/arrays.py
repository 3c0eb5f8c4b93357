"""Arrays that the user has saved with numpy."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field

from tunefast.errors import DataError, nearest
from tunefast.recipe.data.checked import checked
from tunefast.recipe.data.part import DATA_VARIABLE, Decoded, NumbersPart, RootedPart

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Npz(NumbersPart, RootedPart):
    """Arrays in a file that ``numpy.savez`` wrote: ``inputs`` and ``targets``, with or without a few more.

    Inputs: uint8 [N, H, W, C] or [N, H, W] are images, numbers of any other type or shape [N, ...] become float32.
    Targets decide the task: whole numbers [N] are classes 0, 1, ...; 0 and 1 [N, T] are labels, several at once; real
    numbers [N] or [N, T] are numbers to predict. ``test_inputs``, ``test_targets``, ``val_inputs`` and ``val_targets``
    are parts of the source's own; ``groups`` [N] and ``times`` [N] serve `split`. Nothing in the file is executed, so
    arrays of Python objects are refused. The whole set must fit into memory.
    """

    name: Literal["npz"] = "npz"
    root: str | None = None
    """The file's directory; by default TUNEFAST_DATA where the file is there, else the working directory."""
    file: str = Field("data.npz", min_length=1)
    """The file's name, or its path from there."""
    as_is: bool = False
    """Whole numbers stay whole in inputs, as token ids have to, and targets may have any shape, as masks have: for a
    model and a loss of your own."""

    def located(self) -> Self:
        """The part with `root` absolute."""
        places = [Path.cwd()]
        if self.root is not None:
            places = [Path(self.root).expanduser().absolute()]
        elif os.environ.get(DATA_VARIABLE):
            places.insert(0, Path(os.environ[DATA_VARIABLE]).expanduser().absolute())
        found = next((place for place in places if (place / self.file).is_file()), places[-1])
        return self.model_copy(update={"root": str(found)})

    @property
    def path(self) -> Path:
        """The file; raises `DataError` where there is none."""
        path = self.place / Path(self.file).expanduser()
        if not path.is_file():
            raise DataError(path=path, problem="no such file")
        return path

    def source(self) -> list[Path]:
        """The file."""
        return [self.path]

    def decode(self) -> Decoded:
        """Images uint8 [N, H, W, C] or float32 [N, ...]; classes int64 [N], labels uint8 [N, T], or float32 [N, T]."""
        path = self.path
        arrays = _read(path)
        for name in sorted(arrays.keys() - set(Decoded._fields)):
            raise DataError(
                path=path, problem=f"array {name!r} is not one that is used.{nearest(name, Decoded._fields)}"
            )
        return checked(arrays, path, as_is=self.as_is)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    import numpy as np

    try:
        with path.open("rb") as file:
            content = np.load(file, allow_pickle=False)
            if isinstance(content, np.ndarray):
                raise DataError(path=path, problem="a single array, not an npz file; numpy.savez writes those")
            return {name: np.asarray(content[name]) for name in content.files}
    except (OSError, EOFError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(path=path, problem=f"not a readable npz file ({error})") from error
