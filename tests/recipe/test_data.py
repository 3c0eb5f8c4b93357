"""Data parts: what they read, what they refuse, and where they look."""

from __future__ import annotations

import gzip
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from tests.files import write_idx, write_images, write_mnist
from tunefast.errors import DataError
from tunefast.recipe.data import Digits, ImageFolder, Mnist, Synthetic, _read_idx

IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)


@pytest.mark.parametrize("packed", [False, True])
def test_idx_file(tmp_path: Path, packed: bool) -> None:
    """An idx file reads the same, packed or not."""
    path = write_idx(tmp_path / "images", IMAGES, packed=packed)
    np.testing.assert_array_equal(_read_idx(path, num_axes=3), IMAGES)


@pytest.mark.parametrize("packed", [False, True])
def test_truncated_idx_file(tmp_path: Path, packed: bool) -> None:
    """A file cut off anywhere is refused by its path, never read as a smaller set."""
    path = write_idx(tmp_path / "images", IMAGES, packed=packed)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match="damaged") as caught:
            _read_idx(path, num_axes=3)
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
        array = _read_idx(path, num_axes=3)
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
        _read_idx(path, num_axes=3)


@pytest.mark.parametrize("packed", [False, True])
def test_mnist_layout(tmp_path: Path, packed: bool) -> None:
    """Images and labels of both parts come from torchvision's layout, packed or not."""
    write_mnist(tmp_path, train=30, test=20, packed=packed)
    arrays = Mnist(root=str(tmp_path)).decode()
    assert arrays.inputs.shape == (30, 28, 28, 1)
    assert arrays.labels.tolist() == [index % 10 for index in range(30)]
    assert arrays.test_inputs is not None
    assert arrays.test_inputs.shape == (20, 28, 28, 1)
    assert arrays.labels.dtype == np.int64


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
    assert (len(arrays.labels), len(arrays.test_labels if arrays.test_labels is not None else ())) == (60_000, 10_000)
    assert arrays.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(arrays.labels).min() > 5000
    assert arrays.inputs.mean() / 255 == pytest.approx(0.1307, abs=1e-4)


def test_directory_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TUNEFAST_DATA names the set's own directory, or the one that holds a folder of its name."""
    write_mnist(tmp_path / "mnist")
    for directory in (tmp_path, tmp_path / "mnist"):
        monkeypatch.setenv("TUNEFAST_DATA", str(directory))
        assert Mnist().located().root == str(tmp_path / "mnist")
        assert len(Mnist().decode().labels) == 60


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


def test_image_folder(tmp_path: Path) -> None:
    """A folder per class: classes in the order of their names, every image scaled to one size."""
    arrays = ImageFolder(root=str(write_images(tmp_path, per_class=4)), image_size=8).decode()
    assert arrays.inputs.shape == (12, 8, 8, 3)
    assert arrays.inputs.dtype == np.uint8
    assert arrays.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert arrays.inputs[0, 0, 0].tolist() == [0, 0, 255]
    assert arrays.test_inputs is None


def test_image_folder_with_test_part(tmp_path: Path) -> None:
    """``train`` and ``test`` folders are the two parts."""
    write_images(tmp_path / "train", per_class=4)
    write_images(tmp_path / "test", per_class=2)
    arrays = ImageFolder(root=str(tmp_path), image_size=8).decode()
    assert arrays.test_labels is not None
    assert (len(arrays.labels), len(arrays.test_labels)) == (12, 6)


def test_image_folder_classes_differ(tmp_path: Path) -> None:
    """A test part with other classes would be numbered wrongly, so it is refused."""
    write_images(tmp_path / "train")
    write_images(tmp_path / "test")
    (tmp_path / "test" / "red").rename(tmp_path / "test" / "yellow")
    with pytest.raises(DataError, match=r"'yellow'.*differ.*'red'"):
        ImageFolder(root=str(tmp_path)).decode()


def test_image_folder_modes(tmp_path: Path) -> None:
    """Grey images and palettes become colour images."""
    write_images(tmp_path, per_class=1)
    Image.new("L", (8, 8), 7).save(tmp_path / "red" / "grey.png")
    Image.new("P", (8, 8), 0).save(tmp_path / "red" / "palette.png")
    arrays = ImageFolder(root=str(tmp_path), image_size=8).decode()
    assert arrays.inputs[-2, 0, 0].tolist() == [7, 7, 7]


@pytest.mark.parametrize("kept", [0, 3, 20, 45, 60])
def test_corrupt_image(tmp_path: Path, kept: int) -> None:
    """The image that cannot be read is named."""
    bad = write_images(tmp_path, size=32) / "green" / "03.png"
    bad.write_bytes(bad.read_bytes()[:kept])
    with pytest.raises(DataError, match="not a readable image") as caught:
        ImageFolder(root=str(tmp_path)).decode()
    assert str(bad) in str(caught.value)


@given(st.data())
def test_damaged_image(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever is wrong inside an image file, the error is ours and names it."""
    root = tmp_path_factory.getbasetemp() / "damaged"
    bad = (root if root.is_dir() else write_images(root, per_class=1)) / "red" / "00.png"
    Image.new("RGB", (6, 6), (255, 0, 0)).save(bad)
    content = bytearray(bad.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    bad.write_bytes(content)
    try:
        ImageFolder(root=str(root)).decode()
    except DataError as error:
        assert str(bad) in str(error)  # noqa: PT017 - either end is fine


@pytest.mark.parametrize("with_folder", [False, True])
def test_no_images(tmp_path: Path, with_folder: bool) -> None:
    """A directory without images is refused by its path."""
    if with_folder:
        (tmp_path / "red").mkdir()
    with pytest.raises(DataError, match="no images in class folders") as caught:
        ImageFolder(root=str(tmp_path)).decode()
    assert str(tmp_path) in str(caught.value)


def test_digits() -> None:
    """The embedded set is what scikit-learn ships."""
    arrays = Digits().decode()
    assert arrays.inputs.shape == (1797, 8, 8, 1)
    assert (arrays.inputs.min(), arrays.inputs.max()) == (0, 16)
    assert sorted(set(arrays.labels.tolist())) == list(range(10))


@given(samples=st.integers(10, 60), features=st.integers(1, 5), classes=st.integers(2, 6), seed=st.integers(0, 2**40))
def test_synthetic_is_seeded(samples: int, features: int, classes: int, seed: int) -> None:
    """Options and seed alone decide the clouds; classes are equally likely."""
    part = Synthetic(samples=samples, features=features, classes=classes, seed=seed)
    one, other = part.decode(), part.decode()
    np.testing.assert_array_equal(one.inputs, other.inputs)
    np.testing.assert_array_equal(one.labels, other.labels)
    assert one.inputs.shape == (samples, features)
    counts = np.bincount(one.labels, minlength=classes)
    assert counts.max() - counts.min() <= 1
    assert not np.array_equal(one.inputs, part.model_copy(update={"seed": seed + 1}).decode().inputs)


def test_synthetic_noise() -> None:
    """Noise is the spread around a class's centre: none of it makes a class one point."""
    arrays = Synthetic(noise=0.0, classes=3).decode()
    assert len(np.unique(arrays.inputs, axis=0)) == 3


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
