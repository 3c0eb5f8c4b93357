"""A data part that leaves a mark whenever it is decoded, and a program that loads it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Literal

import numpy as np

from tunefast.recipe.data import DataPart, Decoded


class Counted(DataPart):
    """Ten samples, and a new file ``decoded-*`` in `marks` each time they are decoded."""

    name: Literal["counted"] = "counted"
    marks: str
    wait_for: int = 0
    """Files ``arrived-*`` to wait for while decoding."""
    size: int = 1
    """Numbers per sample."""
    whole: bool = False
    """Whether there are validation and test samples, groups and times as well."""

    def decode(self) -> Decoded:
        """Mark and wait."""
        marks = Path(self.marks)
        (marks / f"decoded-{time.monotonic_ns()}").touch()
        deadline = time.monotonic() + 60
        while len(list(marks.glob("arrived-*"))) < self.wait_for and time.monotonic() < deadline:
            time.sleep(0.01)
        inputs = np.arange(10 * self.size, dtype="float32").reshape(10, self.size)
        targets = np.arange(10, dtype="int64") % 2
        if not self.whole:
            return Decoded(inputs, targets)
        return Decoded(inputs, targets, inputs[:1], targets[:1], inputs[:2], targets[:2], targets + 5, targets / 2)

    @property
    def times_decoded(self) -> int:
        """The number of marks."""
        return len(list(Path(self.marks).glob("decoded-*")))


if __name__ == "__main__":
    from tunefast.train.cache import decoded

    directory, number = sys.argv[1:]
    (Path(directory) / f"arrived-{number}").touch()
    sys.exit(int(decoded(Counted(marks=directory, wait_for=2)).inputs.sum()) != sum(range(10)))
