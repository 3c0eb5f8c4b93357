"""The samples of a torch data set, read through once into arrays."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tunefast.recipe.data.part import CHANNELS, IMAGE_AXES

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PAIR = 2
_FIRST_ROWS = 64


def read_through(dataset: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Inputs [N, ...] and targets [N, ...] of a map-style or iterable data set of pairs.

    Tuples and dicts become records [N], with a field for each array; those of a tuple are called 0, 1, and so on.
    Raises `ValueError` that names the item which is not like the first, is no pair, or cannot be read.
    """
    inputs, targets = _Column("input"), _Column("target")
    iterator = _items(dataset)
    index = 0
    while True:
        try:
            item = next(iterator)
        except StopIteration:
            break
        except Exception as error:
            raise ValueError(f"item {index} cannot be read ({type(error).__name__}: {error})") from error
        if not isinstance(item, (tuple, list)) or len(item) != _PAIR:
            raise ValueError(f"item {index} is {_described(item)}, not a pair (input, target)")
        inputs.add(index, _input_array(index, item[0]))
        targets.add(index, _array(index, "target", item[1]))
        index += 1
    if index == 0:
        raise ValueError("has no items")
    return inputs.rows[:index], targets.rows[:index]


def _items(dataset: Any) -> Iterator[Any]:
    torch_data = sys.modules.get("torch.utils.data")  # whoever made a data set of torch's kind has imported it
    streamed = torch_data is not None and isinstance(dataset, torch_data.IterableDataset)
    if hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__") and not streamed:
        return (dataset[index] for index in range(len(dataset)))
    if hasattr(dataset, "__iter__"):
        return iter(dataset)
    raise ValueError(
        f"what it made is {_described(dataset)}, not a data set: it has neither __getitem__ and __len__ nor __iter__"
    )


class _Column:
    """Arrays of one shape and type, put on top of each other as they come."""

    def __init__(self, what: str) -> None:
        import numpy as np

        self.what = what
        self.rows: NDArray[Any] = np.empty(0)
        """The rows so far, and room for more."""

    def add(self, index: int, value: NDArray[Any]) -> None:
        """Set row `index`, the next one; raises `ValueError` where it differs from the first in shape or type."""
        import numpy as np

        rows = self.rows
        if index == 0:
            self.rows = np.empty((_FIRST_ROWS, *value.shape), dtype=value.dtype)
        elif rows.shape[1:] != value.shape or rows.dtype != value.dtype:
            raise ValueError(
                f"the {self.what} of item {index} is {value.dtype} of shape {list(value.shape)}, but that of item 0 is "
                f"{rows.dtype} of shape {list(rows.shape[1:])}"
            )
        elif index == len(rows):
            self.rows = np.concatenate([rows, np.empty_like(rows)])
        self.rows[index] = value


def _input_array(index: int, value: Any) -> NDArray[Any]:
    """A sample's input; images of bytes with their channels last."""
    import numpy as np
    from PIL import Image

    if isinstance(value, Image.Image):
        array = np.asarray(value if value.mode in ("L", "RGB") else value.convert("RGB"))
        return array[..., None] if array.ndim < IMAGE_AXES else array
    array = _array(index, "input", value)
    if array.dtype != np.uint8 or array.ndim != IMAGE_AXES:
        return array
    first, last = (array.shape[axis] in CHANNELS for axis in (0, -1))
    channels_first = first and (_is_tensor(value) or not last)
    return array.transpose(1, 2, 0) if channels_first else array


def _array(index: int, what: str, value: Any) -> NDArray[Any]:
    """An array of numbers, or a record of arrays."""
    import numpy as np

    branches = _branches(value)
    if branches is None:
        return _plain_array(index, what, value)
    arrays = {name: _array(index, f"{what} {name!r}", branch) for name, branch in branches.items()}
    kinds = [(name, array.dtype, array.shape) for name, array in arrays.items()]
    record = np.zeros((), np.dtype(kinds, align=True))
    for name, array in arrays.items():
        record[name] = array
    return record


def _branches(value: Any) -> dict[str, Any] | None:
    """What a dict or a tuple of arrays consists of; None for what is one array."""
    import numpy as np

    if isinstance(value, Mapping):
        return {str(name): branch for name, branch in value.items()}
    if not isinstance(value, (tuple, list)):
        return None
    arrays = any(_is_tensor(branch) or isinstance(branch, (np.ndarray, Mapping)) for branch in value)
    return {str(number): branch for number, branch in enumerate(value)} if arrays else None


def _plain_array(index: int, what: str, value: Any) -> NDArray[Any]:
    import numpy as np

    if _is_tensor(value):
        value = value.detach().cpu()
        value = value.float() if value.is_floating_point() else value
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"the {what} of item {index} is no array ({error})") from error
    if array.dtype.kind not in "fiub":
        raise ValueError(f"the {what} of item {index} is {_described(value)}, not a number, array, tensor or image")
    return array


def _is_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _described(value: Any) -> str:
    return f"of type {type(value).__name__}" + (f" and length {len(value)}" if isinstance(value, (tuple, list)) else "")
