"""Data sets that need no files: those that scikit-learn ships, and made-up ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tunefast.recipe.data.part import DataPart, Decoded, NumbersPart

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Digits(DataPart):
    """1,797 handwritten digits of 8x8 pixels from scikit-learn: embedded, so it needs no download."""

    name: Literal["digits"] = "digits"

    def decode(self) -> Decoded:
        """Images uint8 [1797, 8, 8, 1] with values 0 to 16."""
        from sklearn.datasets import load_digits

        images, labels = load_digits(return_X_y=True)
        return Decoded(images.reshape(-1, 8, 8, 1).astype("uint8"), labels.astype("int64"))


class Sklearn(NumbersPart):
    """A small table that scikit-learn ships: embedded, so it needs no download.

    Buys a try-out in seconds; 20 to 569 rows, so a difference of a percent between two recipes is luck. The targets of
    diabetes and linnerud are numbers in units of their own (see `standardize_targets`).
    """

    name: Literal["sklearn"] = "sklearn"
    set: Literal["iris", "wine", "breast_cancer", "diabetes", "linnerud"] = "iris"
    """iris (150 rows, 4 features, 3 classes), wine (178, 13, 3), breast_cancer (569, 30, 2); diabetes (442, 10, one
    number), linnerud (20, 3, three numbers)."""

    def decode(self) -> Decoded:
        """Tables float32 [N, F]; classes int64 [N] or numbers float32 [N, T]."""
        from sklearn import datasets

        inputs, targets = getattr(datasets, f"load_{self.set}")(return_X_y=True)
        if self.set in ("diabetes", "linnerud"):
            return Decoded(inputs.astype("float32"), targets.reshape(len(inputs), -1).astype("float32"))
        return Decoded(inputs.astype("float32"), targets.astype("int64"))


class Synthetic(NumbersPart):
    """Made-up tables: no files, any size, any difficulty.

    Classes are Gaussian clouds around seeded centres. Labels and numbers are random linear functions of Gaussian
    inputs plus noise: a label is whether its function is above 0.
    """

    name: Literal["synthetic"] = "synthetic"
    task: Literal["classes", "labels", "numbers"] = "classes"
    """What is to be predicted: one class, several labels at once, or numbers."""
    samples: int = Field(2000, ge=10)
    """Samples in all."""
    features: int = Field(20, ge=1)
    """Numbers per sample."""
    classes: int = Field(4, ge=2)
    """Classes, equally likely; for the other tasks, the labels or numbers that each sample has."""
    noise: float = Field(1.0, ge=0)
    """Standard deviation around a class's centre, where centres are about 1 from the origin in each feature; or of what
    is added to the linear functions, which have a deviation of 1 themselves."""
    seed: int = Field(0, ge=0)
    """Decides centres or functions, and samples."""

    def decode(self) -> Decoded:
        """Tables float32 [samples, features]; classes int64 [samples], or labels or numbers [samples, classes]."""
        import numpy as np

        rng = np.random.default_rng(self.seed)
        if self.task == "classes":
            return self._clouds(rng)
        weights = rng.normal(size=(self.features, self.classes))
        weights /= np.linalg.norm(weights, axis=0)
        inputs = rng.normal(size=(self.samples, self.features))
        values: NDArray[Any] = inputs @ weights + self.noise * rng.normal(size=(self.samples, self.classes))
        targets = (values > 0).astype("uint8") if self.task == "labels" else values.astype("float32")
        return Decoded(inputs.astype("float32"), targets)

    def _clouds(self, rng: np.random.Generator) -> Decoded:
        import numpy as np

        centres = rng.normal(size=(self.classes, self.features))
        labels = rng.permutation(np.arange(self.samples) % self.classes)
        inputs = centres[labels] + self.noise * rng.normal(size=(self.samples, self.features))
        return Decoded(inputs.astype("float32"), labels.astype("int64"))
