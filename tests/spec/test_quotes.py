"""Files whose TOML cannot be read for want of quotes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunefast.errors import SpecError
from tunefast.spec.load import load_spec


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("val_accuracy", ', column 10): text needs quotes, "val_accuracy"'),
        ("[a, val_loss]", ', column 11): text needs quotes, "a"'),
        ("True", ", column 10): it is written true"),
        ("?", ", column 10)"),
    ],
)
def test_text_without_quotes(tmp_path: Path, value: str, hint: str) -> None:
    """A word where TOML wants a value is text whose quotes are missing, or Python's truth."""
    file = tmp_path / "s.toml"
    file.write_text(f"[study]\nmetric = {value}\n")
    with pytest.raises(SpecError) as caught:
        load_spec(file)
    assert str(caught.value) == f"{file}: is not valid TOML: Invalid value (at line 2{hint}"
