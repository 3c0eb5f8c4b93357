"""A user's own torch data set: read through once, refused with the item at fault."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from tests.conftest import REPOSITORY
from tunefast.errors import DataError
from tunefast.recipe.data import TorchDataset
from tunefast.train.cache import decoded

SETS = "tests.recipe.data.own_sets"


def _part(name: str, options: dict[str, Any] | None = None, **settings: Any) -> TorchDataset:
    table = {"path": f"{SETS}:{name}", "root": str(REPOSITORY), "options": options or {}, **settings}
    return TorchDataset.model_validate(table)


def test_map_style() -> None:
    """PIL images become images of bytes, whole numbers classes; every item is in its place."""
    arrays = _part("Colours", {"count": 150}).decode()
    assert (arrays.inputs.shape, str(arrays.inputs.dtype)) == ((150, 8, 8, 3), "uint8")
    assert arrays.targets.tolist() == [index % 3 for index in range(150)]
    np.testing.assert_array_equal(arrays.inputs[:, 4, 4, 0], arrays.targets * 100)


def test_iterable() -> None:
    """A stream is read to its end, by iterating even where it has a length."""
    arrays = _part("Stream", {"count": 130}).decode()
    assert arrays.inputs.tolist() == [[index, 1] for index in range(130)]
    assert arrays.targets.tolist() == [[0.5 * index] for index in range(130)]
    assert arrays.target_kind[:2] == ("numbers", 1)


def test_function_that_returns_a_list() -> None:
    """Anything with items and a length serves; vectors of 0 and 1 are labels."""
    arrays = _part("pairs").decode()
    assert arrays.targets.tolist() == [[0, 1], [1, 1], [0, 1], [1, 1]]
    assert arrays.target_kind.counts == (2, 4)


def test_own_parts() -> None:
    """Options of the validation and test part are the general ones with some changed."""
    part = _part("Colours", {"count": 9, "size": 4}, val_options={"count": 6}, test_options={"count": 3})
    arrays = part.decode()
    assert arrays.val_inputs is not None
    assert arrays.test_inputs is not None
    assert [len(rows) for rows in (arrays.inputs, arrays.val_inputs, arrays.test_inputs)] == [9, 6, 3]
    assert arrays.test_inputs.shape[1:] == (4, 4, 3)


@pytest.mark.parametrize(
    ("value", "shape", "dtype"),
    [
        ("pil", (3, 4, 3), "uint8"),
        ("pil_grey", (3, 4, 1), "uint8"),
        ("pil_palette", (3, 4, 3), "uint8"),
        ("array_last", (3, 4, 3), "uint8"),
        ("array_first", (4, 5, 3), "uint8"),
        ("tensor_first", (4, 3, 3), "uint8"),
        ("tensor_last", (5, 4, 3), "uint8"),
        ("tensor_float", (3, 4, 5), "float32"),
        ("tensor_half", (3,), "float32"),
        ("vector", (3,), "float32"),
        ("number", (1,), "float32"),
    ],
)
def test_inputs(value: str, shape: tuple[int, ...], dtype: str) -> None:
    """Images of bytes end with their channels, wherever those were; floats keep their shape."""
    inputs = _part("Holding", {"value": value}).decode().inputs
    assert (inputs.shape[1:], str(inputs.dtype)) == (shape, dtype)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("Colours", {"broken": 7}, r"input of item 7 is uint8 of shape \[5, 5, 3\], but that of item 0 .*\[8, 8, 3\]"),
        ("Colours", {"broken": 7, "how": "target"}, "target of item 7 is float64 .* item 0 is int64"),
        ("Colours", {"broken": 7, "how": "error"}, r"item 7 cannot be read \(KeyError: 'file'\)"),
        ("Colours", {"broken": 7, "how": "single"}, "item 7 is of type Image, not a pair"),
        ("Colours", {"broken": 7, "how": "triple"}, "item 7 is of type tuple and length 3, not a pair"),
        ("Colours", {"broken": 7, "how": "none"}, "item 7 is of type NoneType, not a pair"),
        ("Colours", {"count": 0}, "has no items"),
        ("Colours", {"colour": "red"}, r"called with \(colour='red'\): TypeError.*unexpected keyword"),
        ("Holding", {"value": "text"}, "input of item 0 is of type str, not a number"),
        ("Holding", {"value": "none"}, "input of item 0 is of type NoneType"),
        ("Holding", {"value": "ragged"}, "input of item 0 is no array"),
        ("Holding", {"value": "pil", "what": "target"}, "targets are of type uint8 and shape"),
        ("nothing", {}, "what it made is of type int, not a data set"),
        ("Missing", {}, "has no class or function 'Missing'"),
        ("NO_FUNCTION", {}, "has no class or function 'NO_FUNCTION'"),
        ("pairs", {"count": 1.5}, "TypeError"),
    ],
)  # fmt: skip
def test_refused(name: str, options: dict[str, Any], message: str) -> None:
    """The mistake is named with the dotted path and the item."""
    with pytest.raises(DataError, match=message) as caught:
        _part(name, options).decode()
    assert f"{SETS}:{name}" in str(caught.value)


def test_module_missing(tmp_path: Path) -> None:
    """A module that is not there is said to be so, with the directory where it was looked for."""
    for path in ("no_such_module:Set", "no_such_package.module:Set"):
        with pytest.raises(DataError, match="there is no module 'no_such") as caught:
            TorchDataset(path=path, root=str(tmp_path)).source()
        assert str(tmp_path) in str(caught.value)


def test_module_broken(tmp_path: Path) -> None:
    """What a module raises while it is imported is told."""
    (tmp_path / "broken_module_of_user.py").write_text("import no_such_module_at_all\n")
    with pytest.raises(DataError, match=r"cannot be imported.*no_such_module_at_all"):
        TorchDataset(path="broken_module_of_user:Set", root=str(tmp_path)).decode()


@pytest.mark.parametrize("path", ["", "module", "module:", "a b:C", "module:C.d", "../module:C"])
def test_path(path: str) -> None:
    """A path is a module and a name."""
    with pytest.raises(ValidationError, match="path"):
        TorchDataset(path=path)


def test_options_are_plain_and_fixed() -> None:
    """Options make equal parts equal keys, are written as a table, and cannot be anything but plain values."""
    one, other = (_part("Colours", options) for options in ({"count": 1, "size": 2}, {"size": 2, "count": 1}))
    assert one == other
    assert hash(one) == hash(other)
    assert one != _part("Colours", {"count": 2, "size": 2})
    assert one.table()["options"] == {"count": 1, "size": 2}
    assert TorchDataset.model_validate(one.table()) == one
    for bad in ([1], {"x": float("nan")}, {"x": torch.zeros(1)}, {1: 2}):
        with pytest.raises(ValidationError, match="options"):
            TorchDataset.model_validate({"options": bad})


def test_edited_module(tmp_path: Path) -> None:
    """A module that was edited is read anew and so is its data, also in a process that had imported it."""
    module = tmp_path / "edited_module_of_user.py"
    part = TorchDataset(path="edited_module_of_user:make", root=str(tmp_path))
    for count in (4, 12):
        module.write_text(f"def make():\n    return [([1.0], i % 2) for i in range({count})]\n" + "#" * count)
        os.utime(module, (count * 1000, count * 1000))
        assert len(decoded(part).targets) == count


def test_files(tmp_path: Path) -> None:
    """Files that the set reads are watched too, in folders as well; one that is missing is named."""
    (tmp_path / "numbers").mkdir()
    lines = tmp_path / "numbers" / "lines.txt"
    part = _part("lines", {"path": str(lines)}, files=[str(tmp_path / "numbers")])
    for count in (4, 12):
        lines.write_text("1 " * count)
        assert len(decoded(part).targets) == count
    assert str(lines) in part.source()
    with pytest.raises(DataError, match=r"gone\.txt: cannot be read"):
        decoded(_part("lines", files=[str(tmp_path / "gone.txt")]))


def test_importable_from_elsewhere(tmp_path: Path) -> None:
    """A part located where it was made is found by a process that works in another directory."""
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    (home / "package_of_user").mkdir(parents=True)
    elsewhere.mkdir()
    (home / "package_of_user" / "data.py").write_text("def make(n=2):\n    return [([i], i % 2) for i in range(n)]\n")
    code = (
        "import sys; from tunefast.recipe.data import TorchDataset\n"
        "part = TorchDataset(path='package_of_user.data:make', options={'n': 8}, root=sys.argv[1] or None)\n"
        "print(part.located().root, len(part.decode().targets), part.source()[0].rpartition(chr(47))[2])"
    )
    for directory, root in ((home, ""), (elsewhere, str(home))):
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        command = [sys.executable, "-c", code, root]
        run = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=True)
        assert run.stdout.split() == [str(home), "8", "data.py"]
