"""Arrays from numpy files: what they become, and what is refused."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.files import write_npz
from tunefast.errors import DataError
from tunefast.recipe.data import Decoded, Npz

IMAGES = np.zeros((6, 4, 5, 3), dtype=np.uint8)
CLASSES = np.array([0, 1, 2, 0, 1, 2])


def _decoded(directory: Path, **arrays: Any) -> Decoded:
    np.savez(directory / "data.npz", **arrays)
    return Npz(root=str(directory)).decode()


@pytest.mark.parametrize(
    ("given", "dtype", "shape"),
    [
        (IMAGES, "uint8", (6, 4, 5, 3)),
        (IMAGES[..., 0], "uint8", (6, 4, 5, 1)),
        (np.zeros((6, 7), dtype=np.uint8), "float32", (6, 7)),
        (np.zeros((6, 7)), "float32", (6, 7)),
        (np.zeros(6), "float32", (6, 1)),
        (np.zeros((6, 3, 4, 5), dtype=np.float16), "float32", (6, 3, 4, 5)),
        (np.zeros((6, 9), dtype=np.int64), "float32", (6, 9)),
        (np.zeros((6, 2), dtype=bool), "float32", (6, 2)),
    ],
)
def test_inputs(tmp_path: Path, given: NDArray[Any], dtype: str, shape: tuple[int, ...]) -> None:
    """Bytes with the axes of images are images; all other numbers are floats of their own shape."""
    inputs = _decoded(tmp_path, inputs=given, targets=CLASSES).inputs
    assert (inputs.dtype, inputs.shape) == (np.dtype(dtype), shape)


@pytest.mark.parametrize(
    ("given", "kind", "size"),
    [
        (CLASSES, "classes", 3),
        (CLASSES.astype(np.uint8), "classes", 3),
        (CLASSES > 0, "classes", 2),
        (np.eye(6, 4, dtype=bool), "labels", 4),
        (np.eye(6, 4, dtype=np.int64), "labels", 4),
        (np.zeros((6, 2), dtype=np.float16), "numbers", 2),
        (np.zeros(6), "numbers", 1),
    ],
)
def test_targets(tmp_path: Path, given: NDArray[Any], kind: str, size: int) -> None:
    """Type and axes of the targets say what is to be predicted."""
    arrays = _decoded(tmp_path, inputs=IMAGES, targets=given)
    assert (arrays.target_kind.kind, arrays.target_kind.size) == (kind, size)
    assert str(arrays.targets.dtype) == {"classes": "int64", "labels": "uint8", "numbers": "float32"}[kind]
    assert arrays.targets.tolist() == given.reshape(arrays.targets.shape).tolist()


def test_own_parts(tmp_path: Path) -> None:
    """Validation and test arrays are the source's own parts; groups are numbered, times become numbers."""
    days = np.datetime64("2024-01-01") + np.arange(6)
    arrays = _decoded(
        tmp_path,
        inputs=IMAGES, targets=CLASSES, val_inputs=IMAGES[:2], val_targets=CLASSES[:2], test_inputs=IMAGES[:1],
        test_targets=CLASSES[:1], groups=np.array(["b", "a", "b", "c", "c", "c"]), times=days,
    )  # fmt: skip
    assert arrays.val_targets is not None
    assert arrays.test_inputs is not None
    assert arrays.groups is not None
    assert arrays.times is not None
    assert (arrays.val_targets.tolist(), len(arrays.test_inputs)) == ([0, 1], 1)
    assert arrays.groups.tolist() == [1, 0, 1, 2, 2, 2]
    assert np.diff(arrays.times).tolist() == [1] * 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": None}, "there is no array 'targets', but one 'inputs'"),
        ({"inputs": None, "targets": None}, "there is no array 'inputs'"),
        ({"inputs": IMAGES[:5]}, "5 inputs, but 6 targets"),
        ({"inputs": IMAGES[:0], "targets": CLASSES[:0]}, "inputs are empty"),
        ({"inputs": np.array(["a"] * 6)}, "inputs are of type <U1; valid are numbers"),
        ({"inputs": np.zeros((6, 3, 8, 9), dtype=np.uint8)}, "9 channels are none of"),
        ({"inputs": np.array([[1, 2], [np.nan, 3], [np.inf, 4]]), "targets": CLASSES[:3]}, "2 rows.*first is row 1"),
        ({"inputs": np.full((6, 1), 1e200)}, "6 rows.*infinite"),
        ({"targets": CLASSES + 1}, r"must be 0, 1, \.\.\. with a sample of each, but are 1, 2, 3;"),
        ({"targets": CLASSES * 2}, r"but are 0, 2, 4; numpy.unique"),
        ({"targets": CLASSES - 1}, "but are -1, 0, 1;"),
        ({"targets": np.arange(12).reshape(6, 2)}, "0 or 1, not 2; classes are one whole number"),
        ({"targets": np.full(6, np.nan)}, "targets have 6 rows with NaN"),
        ({"targets": np.zeros((6, 2, 2))}, r"targets are of type float64 and shape \(6, 2, 2\); valid are"),
        ({"targets": np.array(["cat"] * 6)}, "targets are of type <U3"),
        ({"test_inputs": IMAGES}, "there is no array 'test_targets', but one 'test_inputs'"),
        ({"val_inputs": IMAGES[:, :2], "val_targets": CLASSES}, r"val_inputs are uint8 of shape \[2, 5, 3\] a sample"),
        ({"test_inputs": IMAGES, "test_targets": np.zeros(6)}, "test_targets are float32 .* but targets are int64"),
        ({"test_inputs": IMAGES, "test_targets": CLASSES + 1}, r"test_targets have classes.*\[3\]"),
        ({"groups": np.zeros(6)}, "groups are of type float64"),
        ({"groups": CLASSES[:5]}, r"groups are of type int64 and shape \(5,\); .* \[6\]"),
        ({"times": np.array(["a"] * 6)}, "times are of type <U1"),
        ({"times": np.array([0, 1, 2, np.nan, 4, 5])}, "times have 1 rows that are no time; the first is row 3"),
        ({"times": np.array(["NaT"] * 6, dtype="M8[s]")}, "times have 6 rows"),
        ({"labels": CLASSES}, r"array 'labels' is not one that is used\. Known: groups, inputs"),
        ({"test_input": IMAGES}, "'test_input' is not one that is used. Did you mean 'test_inputs'"),
    ],
)  # fmt: skip
def test_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """What cannot be trained on is refused with the array's name, what it is and what would be valid."""
    arrays = {
        name: array for name, array in {"inputs": IMAGES, "targets": CLASSES, **change}.items() if array is not None
    }
    with pytest.raises(DataError, match=message) as caught:
        _decoded(tmp_path, **arrays)
    assert str(tmp_path / "data.npz") in str(caught.value)


def test_objects(tmp_path: Path) -> None:
    """An array of Python objects is refused, not unpickled."""
    with pytest.raises(DataError, match="not a readable npz file"):
        _decoded(tmp_path, inputs=np.array([{}, {}], dtype=object), targets=CLASSES[:2])


def test_single_array(tmp_path: Path) -> None:
    """A file of one array is refused with what is wanted."""
    np.save(tmp_path / "one.npy", IMAGES)
    with pytest.raises(DataError, match="a single array, not an npz file"):
        Npz(root=str(tmp_path), file="one.npy").decode()


def test_foreign_member(tmp_path: Path) -> None:
    """A zip file with something else inside is refused."""
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        archive.writestr("inputs", b"text")
        archive.writestr("targets", b"text")
    with pytest.raises(DataError, match=r"data\.npz: inputs are of type"):
        Npz(root=str(tmp_path)).decode()


@given(st.data())
def test_damaged_file(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """A file cut short or with changed bytes is refused by its path, or what it holds is unharmed."""
    content = io.BytesIO()
    inputs = np.random.default_rng(0).normal(size=(6, 50)).astype(np.float32)
    np.savez_compressed(content, inputs=inputs, targets=CLASSES)
    damaged = bytearray(content.getvalue())
    if data.draw(st.booleans()):
        del damaged[data.draw(st.integers(0, len(damaged) - 1)) :]
    else:
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    root = tmp_path_factory.getbasetemp()
    (root / "damaged.npz").write_bytes(damaged)
    try:
        arrays = Npz(root=str(root), file="damaged.npz").decode()
    except DataError as error:
        assert str(root / "damaged.npz") in str(error)  # noqa: PT017 - either end is fine
    else:
        np.testing.assert_array_equal(arrays.inputs, inputs)


def test_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is looked for in `root`; without one in TUNEFAST_DATA, then in the working directory."""
    working, data = tmp_path / "working", tmp_path / "data"
    write_npz(working / "data.npz")
    monkeypatch.chdir(working)
    monkeypatch.setenv("TUNEFAST_DATA", str(data))
    assert Npz().located().root == str(working)
    write_npz(data / "data.npz")
    assert Npz().located().root == str(data)
    assert Npz(root=".").located().root == str(working)
    assert Npz(root=".", file=str(data / "data.npz")).path == data / "data.npz"
    assert len(Npz().decode().targets) == 60


def test_missing(tmp_path: Path) -> None:
    """A file that is not there is named with its full path."""
    with pytest.raises(DataError, match="no such file") as caught:
        Npz(root=str(tmp_path), file="none.npz").source()
    assert str(tmp_path / "none.npz") in str(caught.value)
