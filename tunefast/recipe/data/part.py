"""What every data part has in common, and the arrays that it decodes to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

from pydantic import Field

from tunefast.errors import DataError
from tunefast.recipe.part import Part

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DATA_VARIABLE = "TUNEFAST_DATA"
IMAGE_AXES = 3
CHANNELS = (1, 3, 4)
"""What images of bytes may have: grey, RGB, RGB with transparency."""
SPLIT_OPTIONS = frozenset({"validation", "split_seed", "fraction", "split", "standardize_targets"})
"""Options that decide how decoded arrays are used, and not what they are."""

TargetKind = Literal["classes", "labels", "numbers", "own"]


_COLUMN_AXES = 2


def are_classes(targets: NDArray[Any]) -> bool:
    """Whether targets are one class a sample, int64 [N]."""
    return targets.dtype.kind == "i" and targets.ndim == 1


class Targets(NamedTuple):
    """What is to be predicted: one class of many, several labels at once, numbers, or what only the user knows."""

    kind: TargetKind
    size: int
    """Number of classes; columns of labels or numbers; 0 for the user's own."""
    counts: tuple[int, ...]
    """Samples of each class, or positives of each label; else empty."""
    total: int
    """Samples in all."""

    @classmethod
    def of(cls, targets: NDArray[Any], num_classes: int | None = None) -> Targets:
        """What `targets` are: int64 [N] classes, uint8 [N, T] labels, float32 [N, T] numbers, else the user's own.

        With `num_classes` a class that has no sample in `targets` still counts.
        """
        import numpy as np

        if targets.dtype.kind == "f" and targets.ndim == _COLUMN_AXES:
            return cls("numbers", targets.shape[1], (), len(targets))
        if are_classes(targets):
            counts = np.bincount(targets, minlength=num_classes or 0)
            return cls("classes", len(counts), tuple(counts.tolist()), len(targets))
        if targets.dtype != np.uint8 or targets.ndim != _COLUMN_AXES:
            return cls("own", 0, (), len(targets))
        positives = targets.sum(axis=0, dtype=np.int64)
        return cls("labels", targets.shape[1], tuple(positives.tolist()), len(targets))


class Decoded(NamedTuple):
    """A data set as arrays, before any split.

    Inputs are images as uint8 [N, H, W, C], or real numbers as float32 [N, ...]. Targets are classes as int64 [N],
    labels as uint8 [N, T] of 0 and 1, or numbers as float32 [N, T]. Both may be the user's own too: whole numbers of
    any shape, or records [N], whose fields are the arrays of a dict, or of a tuple where they are called 0, 1, ...
    """

    inputs: NDArray[Any]
    targets: NDArray[Any]
    test_inputs: NDArray[Any] | None = None
    test_targets: NDArray[Any] | None = None
    val_inputs: NDArray[Any] | None = None
    """Validation samples of the source's own; where there are any, nothing is split off."""
    val_targets: NDArray[Any] | None = None
    groups: NDArray[np.int64] | None = None
    """[N]: the group that each row of `inputs` belongs to."""
    times: NDArray[Any] | None = None
    """[N]: when each row of `inputs` was taken; int64 or float64."""

    @property
    def images(self) -> bool:
        """Whether a sample is an image of bytes."""
        return self.inputs.dtype == "uint8" and self.inputs.ndim == 1 + IMAGE_AXES

    @property
    def scaled(self) -> bool:
        """Whether inputs are images or real numbers, which are scaled before a model sees them."""
        return self.images or self.inputs.dtype == "float32"

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample as a model sees it: (channels, height, width), (features,), or as it is stored.

        () for records.
        """
        rest = self.inputs.shape[1:]
        return (rest[2], rest[0], rest[1]) if self.images else rest

    @property
    def target_kind(self) -> Targets:
        """What is to be predicted, with the counts of `targets`; classes of own validation and test parts count too."""
        parts = [part for part in (self.targets, self.val_targets, self.test_targets) if part is not None]
        num_classes = 1 + max(int(part.max()) for part in parts) if are_classes(self.targets) else None
        return Targets.of(self.targets, num_classes)


class DataPart(Part):
    """How the samples that are not test samples are split; the same for all trials of a study."""

    validation: float = Field(0.1, gt=0, lt=1)
    """Share of the samples, of each class alike, that is kept for validation, unless the set has a validation part."""
    split: Literal["random", "group", "time"] = "random"
    """How they are chosen: random; group: by whole groups, of which none is on both sides; time: the newest. Where
    the set has no test part of its own, one is split off in the same way."""
    split_seed: int = Field(0, ge=0)
    """Decides which samples those are."""
    fraction: float = Field(1.0, gt=0, le=1)
    """Share of the training samples, of each class alike, that is used: a cheaper look at a recipe. A smaller share is
    part of a larger one; validation and test samples stay as they are."""

    def located(self) -> Self:
        """The same part with its place on disk made absolute; raises `DataError` where there is none."""
        return self

    def source(self) -> Sequence[str | Path]:
        """The files that `decode` reads, to tell whether a cached copy is still good."""
        return []

    def decode(self) -> Decoded:
        """Read the whole set into arrays; raises `DataError` where it is missing or damaged."""
        raise NotImplementedError

    @property
    def title(self) -> str:
        """What messages call the part where it has no file."""
        return f"data {getattr(self, 'name', '')!r}"


class NumbersPart(DataPart):
    """A data set whose targets may be numbers."""

    standardize_targets: bool = True
    """Bring each column of numbers to mean 0 and deviation 1 over the training part, so that losses and learning rates
    compare between sets; losses and errors are then in deviations. Off: in the data's own units."""


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
                path=self.title, problem=f"no directory given: set data.root in the spec, or {DATA_VARIABLE}"
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
        path = self.place
        if not path.is_dir():
            raise DataError(path=path, problem="no such directory")
        return path

    @property
    def place(self) -> Path:
        """The root as a path, there or not."""
        return Path(str(self.located().root))
