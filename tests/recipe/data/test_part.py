"""What all data parts share: where they look, what a split can be, what targets are."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from tests.files import write_mnist
from tunefast.errors import DataError
from tunefast.recipe.data import Decoded, Digits, Mnist, Synthetic, Targets


def test_directory_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TUNEFAST_DATA names the set's own directory, or the one that holds a folder of its name."""
    write_mnist(tmp_path / "mnist")
    for directory in (tmp_path, tmp_path / "mnist"):
        monkeypatch.setenv("TUNEFAST_DATA", str(directory))
        assert Mnist().located().root == str(tmp_path / "mnist")
        assert len(Mnist().decode().targets) == 60


def test_directory_in_the_spec_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A root in the spec is taken as it stands, made absolute, whatever the environment says."""
    monkeypatch.setenv("TUNEFAST_DATA", "/nowhere")
    monkeypatch.chdir(tmp_path)
    assert Mnist(root="sets").located().root == str(tmp_path / "sets")
    assert Mnist(root="~/sets").located().root == str(Path.home() / "sets")


def test_no_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a directory the message says both ways to give one; with a wrong one, its path."""
    monkeypatch.delenv("TUNEFAST_DATA", raising=False)
    with pytest.raises(DataError, match=r"'mnist'.*data\.root.*TUNEFAST_DATA"):
        Mnist().decode()
    with pytest.raises(DataError, match="no such directory") as caught:
        Mnist(root=str(tmp_path / "nowhere")).decode()
    assert str(tmp_path / "nowhere") in str(caught.value)


def test_parts_without_files_are_anywhere() -> None:
    """Embedded and made-up sets need no place and have no files."""
    assert Digits().located() == Digits()
    assert Digits().source() == Synthetic().source() == []


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
def test_validation_share(share: float) -> None:
    """Some samples are kept for validation, and some are not."""
    with pytest.raises(ValidationError):
        Digits(validation=share)


def test_reading_loads_no_torch() -> None:
    """A recipe can be read, checked and written without torch."""
    import subprocess

    code = "import sys, tunefast.spec.load, tunefast.recipe.recipe; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_targets_of_classes() -> None:
    """Classes are counted, those of an own validation or test part too."""
    arrays = Decoded(np.zeros((4, 1)), np.array([0, 2, 2, 0]), val_inputs=np.zeros((1, 1)), val_targets=np.array([3]))
    assert arrays.target_kind == Targets("classes", 4, (2, 0, 2, 0), 4)
    assert Targets.of(arrays.targets) == Targets("classes", 3, (2, 0, 2), 4)


def test_targets_of_labels_and_numbers() -> None:
    """Labels have positives per column, more than a byte can count; numbers have columns alone."""
    labels = np.ones((300, 2), dtype=np.uint8)
    assert Decoded(np.zeros((300, 1)), labels).target_kind == Targets("labels", 2, (300, 300), 300)
    numbers = np.zeros((5, 3), dtype=np.float32)
    assert Decoded(np.zeros((5, 1)), numbers).target_kind == Targets("numbers", 3, (), 5)


@pytest.mark.parametrize(
    ("inputs", "shape"),
    [
        (np.zeros((5, 8, 9, 3), dtype=np.uint8), (3, 8, 9)),
        (np.zeros((5, 3, 8, 9), dtype=np.float32), (3, 8, 9)),
        (np.zeros((5, 7), dtype=np.float32), (7,)),
    ],
)
def test_sample_shape(inputs: NDArray[Any], shape: tuple[int, ...]) -> None:
    """Images of bytes have their channels last and are seen with them first; floats are seen as they are."""
    assert Decoded(inputs, np.zeros(5, dtype=np.int64)).sample_shape == shape


@pytest.mark.parametrize("fraction", [0.0, 1.1, -1.0])
def test_fraction(fraction: float) -> None:
    """Some training samples are used, and no more than there are."""
    with pytest.raises(ValidationError):
        Digits(fraction=fraction)
