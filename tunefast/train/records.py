"""Records: samples that are dicts or tuples of arrays, kept as rows of bytes, so that one look-up gathers a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tunefast.nn.trees import Tree


def layout(array: NDArray[Any]) -> np.dtype[Any] | None:
    """What the bytes of a record are; None where samples are plain arrays."""
    return array.dtype if array.dtype.names else None


def as_tensor(array: NDArray[Any]) -> Tensor:
    """The array as a tensor that shares its memory; records [N] as bytes, uint8 [N, B]."""
    if array.dtype.names:
        array = array.view(np.uint8).reshape(len(array), array.dtype.itemsize)
    return torch.from_numpy(array)


def taken_apart(rows: Tensor, of: np.dtype[Any] | None) -> Tree:
    """A tuple or dict of tensors [n, ...], from records as bytes, uint8 [n, B]; other rows as they are.

    Fields that are called 0, 1 and so on make a tuple.
    """
    if of is None or of.names is None or of.fields is None:
        return rows
    fields = {name: _field(rows, *of.fields[name][:2]) for name in of.names}
    return tuple(fields.values()) if list(fields) == [str(number) for number in range(len(fields))] else fields


def _field(rows: Tensor, of: np.dtype[Any], start: int) -> Tree:
    taken = rows[:, start : start + of.itemsize].clone(memory_format=torch.contiguous_format)
    if of.names:
        return taken_apart(taken, of)
    kind = torch.from_numpy(np.empty(0, of.base)).dtype
    return taken.view(kind).reshape(len(rows), *of.shape)
