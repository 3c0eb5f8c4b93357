"""What the user has written: found by its dotted path, called with options that cannot change."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tunefast.recipe.own import DOTTED_PATH, Options, load, module_file


def test_options_are_a_mapping() -> None:
    """Options unpack into keyword arguments, and what is taken out and changed changes nothing inside."""
    options = Options({"sizes": [1, 2], "deep": {"x": None}})
    assert dict(**options) == {"sizes": [1, 2], "deep": {"x": None}}
    options["sizes"].append(3)
    assert options["sizes"] == [1, 2]
    assert len(options) == 2
    with pytest.raises(KeyError):
        options["other"]


def test_options_as_keys() -> None:
    """Equal options are one key, in whatever order; a number and its text, or 1 and true, are different ones."""
    assert len({Options({"a": 1, "b": 2}), Options({"b": 2, "a": 1})}) == 1
    assert len({Options({"a": value}) for value in (1, "1", True, 1.0)}) == 4
    assert Options() == Options({})
    assert Options({"a": 1}) != {"a": 1}


@pytest.mark.parametrize(
    ("path", "valid"), [("a:b", True), ("a.b_c:D1", True), ("a", False), ("1a:b", False), ("a:b.c", False)]
)
def test_dotted_path(path: str, valid: bool) -> None:
    """A module and one name in it."""
    assert bool(re.search(DOTTED_PATH, path)) == valid


def test_load(tmp_path: Path) -> None:
    """A class or function is found in the directory given; its module is not imported to say where it is."""
    (tmp_path / "module_to_load.py").write_text("class Net:\n    pass\n\n\nNUMBER = 3\n")
    assert module_file("module_to_load:Net", tmp_path) == tmp_path / "module_to_load.py"
    assert "module_to_load" not in sys.modules
    made: Any = load("module_to_load:Net", tmp_path)
    assert made().__class__.__name__ == "Net"
    for name in ("NUMBER", "Missing"):
        with pytest.raises(ValueError, match=f"module module_to_load has no class or function '{name}'"):
            load(f"module_to_load:{name}", tmp_path)


def test_builtin_modules(tmp_path: Path) -> None:
    """What has no file can be loaded all the same."""
    assert module_file("builtins:dict", tmp_path) is None
    assert load("builtins:dict", tmp_path) is dict


def test_broken_package(tmp_path: Path) -> None:
    """A package that fails while it is imported is told apart from one that is missing."""
    (tmp_path / "package_that_fails").mkdir()
    (tmp_path / "package_that_fails" / "__init__.py").write_text("1 / 0\n")
    with pytest.raises(ValueError, match=r"a package of it cannot be imported \(ZeroDivisionError"):
        module_file("package_that_fails.module:Net", tmp_path)
    with pytest.raises(ValueError, match=r"there is no module 'package_that_is_not\.module'"):
        module_file("package_that_is_not.module:Net", tmp_path)
