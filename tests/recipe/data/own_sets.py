"""Torch data sets as a user would write them, good ones and bad ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset

VALUES: dict[str, Any] = {
    "pil": Image.new("RGB", (4, 3), (1, 2, 3)),
    "pil_grey": Image.new("L", (4, 3), 7),
    "pil_palette": Image.new("P", (4, 3)),
    "array_last": np.zeros((3, 4, 3), dtype=np.uint8),
    "array_first": np.zeros((3, 4, 5), dtype=np.uint8),
    "tensor_first": torch.zeros(3, 4, 3, dtype=torch.uint8),
    "tensor_last": torch.zeros(5, 4, 3, dtype=torch.uint8),
    "tensor_float": torch.zeros(3, 4, 5, requires_grad=True),
    "tensor_half": torch.zeros(3, dtype=torch.bfloat16),
    "vector": [1, 2, 3],
    "number": 1.5,
    "text": "one",
    "ragged": [[1], [1, 2]],
    "none": None,
}


class Colours(Dataset[Any]):
    """Images of one colour a class; `broken` items are not like the others."""

    def __init__(self, count: int = 60, broken: int = -1, how: str = "shape", size: int = 8) -> None:
        self.count, self.broken, self.how, self.size = count, broken, how, size

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        image = Image.new("RGB", (self.size, self.size), (index % 3 * 100, 0, 0))
        if index != self.broken:
            return image, index % 3
        if self.how == "shape":
            return image.resize((5, 5)), 0
        if self.how == "target":
            return image, 0.5
        if self.how == "error":
            raise KeyError("file")
        return {"single": image, "triple": (image, 0, 0), "none": None}[self.how]


class Stream(IterableDataset[Any]):
    """Vectors with numbers to predict, one after the other; it has a length too, as some have."""

    def __init__(self, count: int = 60) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Any]:
        for index in range(self.count):
            yield torch.tensor([index, 1.0]), torch.tensor([0.5 * index])


class Holding(Dataset[Any]):
    """Any one value as input, or as target."""

    def __init__(self, value: str = "pil", what: str = "input") -> None:
        self.value, self.what = VALUES[value], what

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Any:
        return (self.value, index) if self.what == "input" else (np.zeros(2), self.value)


def pairs(count: int = 4) -> list[Any]:
    """A plain list serves as well."""
    return [([index, 1], [index % 2, 1]) for index in range(count)]


def lines(path: str = "lines.txt") -> list[Any]:
    """Numbers in a file."""
    return [([float(line)], index % 2) for index, line in enumerate(Path(path).read_text().split())]


def nothing() -> int:
    """No data set."""
    return 3


NO_FUNCTION = 3
