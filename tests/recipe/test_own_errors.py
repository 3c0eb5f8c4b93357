"""Errors of the user's own code are told from the user's first line on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunefast.recipe.own import load
from tunefast.recipe.own_errors import own_traceback

BROKEN = """
def fail():
    return 1 / 0

try:
    fail()
except ZeroDivisionError as error:
    raise KeyError("no") from error
"""


def test_from_the_first_own_line_on(tmp_path: Path) -> None:
    """Frames of tunefast and of Python's import before it are left out, those of an error it came from too."""
    (tmp_path / "broken_own.py").write_text(BROKEN)
    with pytest.raises(ValueError, match="cannot be imported") as caught:
        load("broken_own:thing", tmp_path)
    said = str(caught.value)
    assert "tunefast" not in said.replace(str(tmp_path), "")
    assert "importlib" not in said
    assert said.count('broken_own.py", line') == 3
    assert "The above exception was the direct cause" in said
    assert said.endswith("KeyError: 'no'")


def test_ours_alone(tmp_path: Path) -> None:
    """An error in which no code of the user's had a part is told whole."""
    with pytest.raises(ValueError, match="there is no module") as caught:
        load("no_such_module_there:x", tmp_path)
    own = own_traceback(caught.value)
    assert "test_own_errors.py" in own
    inner = caught.value.with_traceback(caught.value.__traceback__.tb_next if caught.value.__traceback__ else None)
    assert "tunefast/recipe/own.py" in own_traceback(inner)
