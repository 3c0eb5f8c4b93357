"""MNIST and Fashion-MNIST: what is read, and what is refused."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.files import write_idx, write_mnist
from tunefast.errors import DataError
from tunefast.recipe.data import FashionMnist, Mnist
from tunefast.recipe.data.idx import read_idx

IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)


@pytest.mark.parametrize("packed", [False, True])
def test_idx_file(tmp_path: Path, packed: bool) -> None:
    """An idx file reads the same, packed or not."""
    path = write_idx(tmp_path / "images", IMAGES, packed=packed)
    np.testing.assert_array_equal(read_idx(path, num_axes=3), IMAGES)


@pytest.mark.parametrize("packed", [False, True])
def test_truncated_idx_file(tmp_path: Path, packed: bool) -> None:
    """A file cut off anywhere is refused by its path, never read as a smaller set."""
    path = write_idx(tmp_path / "images", IMAGES, packed=packed)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match="damaged") as caught:
            read_idx(path, num_axes=3)
        assert str(path) in str(caught.value)


@given(st.data())
def test_corrupt_idx_file(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """A packed file with a changed byte is refused as damaged, or the change did not matter."""
    path = tmp_path_factory.getbasetemp() / "corrupt.gz"
    content = bytearray(gzip.compress(bytes([0, 0, 8, 3]) + struct.pack(">3I", *IMAGES.shape) + IMAGES.tobytes()))
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        array = read_idx(path, num_axes=3)
    except DataError as error:
        assert str(path) in str(error)  # noqa: PT017 - either end is fine
    else:
        np.testing.assert_array_equal(array, IMAGES)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>not found</html>",
        bytes([0, 0, 9, 3]) + struct.pack(">3I", *IMAGES.shape) + IMAGES.tobytes(),
        bytes([0, 0, 8, 1]) + struct.pack(">I", 60) + IMAGES.tobytes(),
        bytes([0, 0, 8, 3]) + struct.pack(">3I", 3, 4, 6) + IMAGES.tobytes(),
        bytes([0, 0, 8, 3]) + struct.pack(">3I", 2**31, 2**31, 4),
    ],
    ids=["empty", "html", "not bytes", "labels", "other shape", "shape that overflows"],
)
def test_other_content(tmp_path: Path, content: bytes) -> None:
    """What is not the file it should be is refused by its path."""
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        read_idx(path, num_axes=3)


@pytest.mark.parametrize("packed", [False, True])
def test_mnist_layout(tmp_path: Path, packed: bool) -> None:
    """Images and labels of both parts come from torchvision's layout, packed or not."""
    write_mnist(tmp_path, train=30, test=20, packed=packed)
    arrays = Mnist(root=str(tmp_path)).decode()
    assert arrays.inputs.shape == (30, 28, 28, 1)
    assert arrays.targets.tolist() == [index % 10 for index in range(30)]
    assert arrays.test_inputs is not None
    assert arrays.test_inputs.shape == (20, 28, 28, 1)
    assert arrays.targets.dtype == np.int64


def test_mnist_file_missing(tmp_path: Path) -> None:
    """The file that is not there is named."""
    raw = write_mnist(tmp_path)
    (raw / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="no such file") as caught:
        Mnist(root=str(tmp_path)).decode()
    assert str(raw / "t10k-labels-idx1-ubyte") in str(caught.value)


def test_mnist_parts_do_not_match(tmp_path: Path) -> None:
    """Images without a label each are refused, since the rest would be labelled wrongly."""
    raw = write_mnist(tmp_path, train=30)
    write_idx(raw / "train-labels-idx1-ubyte", np.zeros(29, dtype=np.uint8))
    with pytest.raises(DataError, match="30 images, but 29 labels"):
        Mnist(root=str(tmp_path)).decode()


def test_mnist_files_swapped(tmp_path: Path) -> None:
    """A file of images under the labels' name is refused."""
    raw = write_mnist(tmp_path)
    (raw / "train-labels-idx1-ubyte").write_bytes((raw / "train-images-idx3-ubyte").read_bytes())
    with pytest.raises(DataError, match="train-labels-idx1-ubyte"):
        Mnist(root=str(tmp_path)).decode()


def test_real_mnist(mnist_root: Path) -> None:
    """The real set has the counts, the classes and the first digit that everybody knows."""
    arrays = Mnist(root=str(mnist_root)).decode()
    assert (len(arrays.targets), len(arrays.test_targets if arrays.test_targets is not None else ())) == (
        60_000,
        10_000,
    )
    assert arrays.targets[:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(arrays.targets).min() > 5000
    assert arrays.inputs.mean() / 255 == pytest.approx(0.1307, abs=1e-4)


def test_fashion_mnist(tmp_path: Path) -> None:
    """The same files in a folder of their own; MNIST beside them is not taken for it."""
    write_mnist(tmp_path, train=30, folder="FashionMNIST")
    write_mnist(tmp_path, train=40)
    assert len(FashionMnist(root=str(tmp_path)).decode().targets) == 30
    assert len(Mnist(root=str(tmp_path)).decode().targets) == 40


def test_empty_file(tmp_path: Path) -> None:
    """Files with headers of no images are no data set."""
    write_mnist(tmp_path, train=0)
    with pytest.raises(DataError, match="no values"):
        Mnist(root=str(tmp_path)).decode()


def test_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are fetched where one is missing and only then; what hinders it is said with the directory."""
    fetched: list[str] = []

    def reader(root: str, *, download: bool) -> None:
        fetched.append(root)
        if len(fetched) == 2:
            raise RuntimeError("no network")
        write_mnist(Path(root))

    monkeypatch.setattr("torchvision.datasets.MNIST", reader)
    part = Mnist(root=str(tmp_path), download=True)
    assert len(part.decode().targets) == 60
    part.decode()
    assert fetched == [str(tmp_path)]
    (tmp_path / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match=r"MNIST cannot be downloaded to there \(no network\)") as caught:
        part.decode()
    assert str(tmp_path) in str(caught.value)
