"""Arrays from anywhere, made into what a data set is decoded to, or refused with what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tunefast.errors import DataError
from tunefast.recipe.data.part import CHANNELS, IMAGE_AXES, Decoded, are_classes

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

_LABEL_AXES = 2
_LISTED = 10


def checked(arrays: dict[str, NDArray[Any]], path: Path | str, *, as_is: bool = False) -> Decoded:
    """The set that `arrays`, named as the fields of `Decoded`, make up; `inputs` and `targets` must be there.

    Inputs of bytes with three or four axes are images [N, H, W] or [N, H, W, C] and stay bytes; other numbers become
    float32. Targets: whole numbers [N] are classes, 0 and 1 in [N, T] are labels, real numbers [N] or [N, T] are
    numbers. With `as_is` whole numbers stay whole, and targets may have any shape; records are always as they are.
    Raises `DataError` with `path` and the name of the array at fault.
    """
    try:
        decoded: dict[str, Any] = {}
        for prefix in ("", "test_", "val_"):
            if prefix + "inputs" in arrays or prefix + "targets" in arrays or not prefix:
                decoded.update(_pair(arrays, prefix, as_is=as_is))
        _check_alike(decoded)
        if "groups" in arrays:
            decoded["groups"] = _groups(arrays["groups"], len(decoded["inputs"]))
        if "times" in arrays:
            decoded["times"] = _times(arrays["times"], len(decoded["inputs"]))
    except ValueError as error:
        raise DataError(path=path, problem=str(error)) from error
    return Decoded(**decoded)


def _pair(arrays: dict[str, NDArray[Any]], prefix: str, *, as_is: bool) -> dict[str, NDArray[Any]]:
    names = (f"{prefix}inputs", f"{prefix}targets")
    for name, other in (names, names[::-1]):
        if name not in arrays:
            raise ValueError(f"there is no array {name!r}" + (f", but one {other!r}" if other in arrays else ""))
    inputs = _inputs(names[0], arrays[names[0]], as_is=as_is)
    targets = _targets(names[1], arrays[names[1]], as_is=as_is)
    if len(inputs) != len(targets):
        raise ValueError(f"{len(inputs)} {names[0]}, but {len(targets)} {names[1]}")
    return {names[0]: inputs, names[1]: targets}


def _inputs(name: str, array: NDArray[Any], *, as_is: bool) -> NDArray[Any]:
    import numpy as np

    if array.dtype.names:
        return _record(name, array)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} are of type {array.dtype}; valid are numbers")
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"{name} are empty (shape {array.shape})")
    if array.ndim == 1:
        array = array[:, None]
    if array.dtype == np.uint8 and array.ndim == IMAGE_AXES:
        return array[..., None]
    if array.dtype == np.uint8 and array.ndim == 1 + IMAGE_AXES:
        if array.shape[-1] not in CHANNELS:
            raise ValueError(
                f"{name} are bytes with {array.ndim} axes, so images [N, height, width, channels]; "
                f"{array.shape[-1]} channels are none of {CHANNELS}"
            )
        return array
    return array if as_is and array.dtype.kind in "iub" else _finite(name, array)


def _targets(name: str, array: NDArray[Any], *, as_is: bool) -> NDArray[Any]:
    import numpy as np

    if array.dtype.names:
        return _record(name, array)
    if as_is and array.dtype.kind in "iub" and array.size and array.ndim > 1:
        return array.astype(np.int64)
    if as_is and array.dtype.kind == "f" and array.size and array.ndim > _LABEL_AXES:
        return _finite(name, array)
    if array.dtype.kind not in "fiub" or array.ndim not in (1, _LABEL_AXES) or array.size == 0:
        raise ValueError(
            f"{name} are of type {array.dtype} and shape {array.shape}; valid are whole numbers [N] (classes), "
            "0 and 1 [N, T] (labels), real numbers [N] or [N, T]; with as_is = true any shape, for a loss of your own"
        )
    if array.dtype.kind == "f":
        return _finite(name, array.reshape(len(array), -1))
    if array.ndim == 1:
        return array.astype(np.int64)
    other = array[(array != 0) & (array != 1)]
    if other.size:
        raise ValueError(
            f"{name} have a column for each label, which is 0 or 1, not {other[0]}; classes are one whole number a "
            "sample, of shape [N]; numbers to predict are floats; for a loss of your own: as_is = true"
        )
    return array.astype(np.uint8)


def _record(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Records as they are. Raises `ValueError` for a field that is no number, or has one that is not finite."""
    for field in array.dtype.names or ():
        values = array[field]
        if values.dtype.names:
            _record(f"{name}, field {field!r}", values)
        elif values.dtype.kind not in "fiub":
            raise ValueError(f"{name}, field {field!r} are of type {values.dtype}; valid are numbers")
        elif values.dtype.kind == "f":
            _finite(f"{name}, field {field!r}", values)
    return array


def _finite(name: str, array: NDArray[Any]) -> NDArray[np.float32]:
    import numpy as np

    with np.errstate(over="ignore"):
        values = array.astype(np.float32)
    broken = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if broken.any():
        raise ValueError(
            f"{name} have {int(broken.sum())} rows with NaN or what is infinite as float32; the first is row "
            f"{int(broken.argmax())}"
        )
    return values


def _check_alike(decoded: dict[str, NDArray[Any]]) -> None:
    """Validation and test part must be made like the training part, and know no other classes."""
    import numpy as np

    targets = decoded["targets"]
    if are_classes(targets):
        found = np.unique(targets)
        if not np.array_equal(found, np.arange(len(found))):
            listed = ", ".join(map(str, found[:_LISTED].tolist())) + (", ..." if len(found) > _LISTED else "")
            raise ValueError(
                "targets are classes, which must be 0, 1, ... with a sample of each, but are "
                f"{listed}; numpy.unique(targets, return_inverse=True)[1] numbers them so"
            )
    for prefix in ("test_", "val_"):
        for name in ("inputs", "targets"):
            own, other = decoded[name], decoded.get(prefix + name)
            if other is not None and (own.dtype != other.dtype or own.shape[1:] != other.shape[1:]):
                raise ValueError(
                    f"{prefix}{name} are {other.dtype} of shape {list(other.shape[1:])} a sample, but {name} are "
                    f"{own.dtype} of shape {list(own.shape[1:])}"
                )
        others = decoded.get(prefix + "targets")
        if others is not None and are_classes(others) and not set(np.unique(others)) <= set(np.unique(targets)):
            strange = sorted(set(np.unique(others).tolist()) - set(np.unique(targets).tolist()))[:_LISTED]
            raise ValueError(f"{prefix}targets have classes that no training sample has: {strange}")


def _groups(array: NDArray[Any], count: int) -> NDArray[np.int64]:
    import numpy as np

    if array.shape != (count,) or array.dtype.kind not in "iubUS":
        raise ValueError(
            f"groups are of type {array.dtype} and shape {array.shape}; valid are whole numbers or text [{count}]"
        )
    return np.unique(array, return_inverse=True)[1].astype(np.int64)


def _times(array: NDArray[Any], count: int) -> NDArray[Any]:
    import numpy as np

    if array.shape != (count,) or array.dtype.kind not in "iufM":
        raise ValueError(
            f"times are of type {array.dtype} and shape {array.shape}; valid are numbers or datetime64 [{count}]"
        )
    if array.dtype.kind == "f":
        broken = ~np.isfinite(array)
        array = array.astype(np.float64)
    else:
        broken = np.isnat(array) if array.dtype.kind == "M" else np.zeros(count, dtype=bool)
        array = array.astype(np.int64)
    if broken.any():
        raise ValueError(f"times have {int(broken.sum())} rows that are no time; the first is row {broken.argmax()}")
    return array
