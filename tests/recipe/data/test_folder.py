"""Folders of images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision.datasets import ImageFolder as Folder

from tests.files import write_images
from tunefast.errors import DataError
from tunefast.recipe.data import ImageFolder, reading
from tunefast.recipe.data.folder import images_in
from tunefast.recipe.data.reading import read_images


def test_image_folder(tmp_path: Path) -> None:
    """A folder per class: classes in the order of their names, every image scaled to one size."""
    arrays = ImageFolder(root=str(write_images(tmp_path, per_class=4)), image_size=8).decode()
    assert arrays.inputs.shape == (12, 8, 8, 3)
    assert arrays.inputs.dtype == np.uint8
    assert arrays.targets.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert arrays.inputs[0, 0, 0].tolist() == [0, 0, 255]
    assert arrays.test_inputs is None


def test_image_folder_with_test_part(tmp_path: Path) -> None:
    """``train`` and ``test`` folders are the two parts."""
    write_images(tmp_path / "train", per_class=4)
    write_images(tmp_path / "test", per_class=2)
    arrays = ImageFolder(root=str(tmp_path), image_size=8).decode()
    assert arrays.test_targets is not None
    assert (len(arrays.targets), len(arrays.test_targets)) == (12, 6)


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


def test_listed_as_torchvision_does(tmp_path: Path) -> None:
    """Files in folders within folders, links, capitals and what is no image: the same images in the same order."""
    write_images(tmp_path, per_class=3)
    (tmp_path / "red" / "more" / "deep").mkdir(parents=True)
    (tmp_path / "red" / "00.png").rename(tmp_path / "red" / "more" / "deep" / "Z.PNG")
    (tmp_path / "red" / "notes.txt").write_text("none")
    (tmp_path / "green" / "linked").symlink_to(tmp_path / "blue")
    (tmp_path / "loose.png").write_bytes(b"")
    theirs = Folder(str(tmp_path))
    ours = images_in(tmp_path)
    assert list(ours) == theirs.classes
    assert [(path, number) for number, paths in enumerate(ours.values()) for path in paths] == theirs.samples


def test_image_folder_with_validation_part(tmp_path: Path) -> None:
    """A ``val`` folder beside ``train`` is the validation part, with or without a test part."""
    write_images(tmp_path / "train", per_class=4)
    write_images(tmp_path / "val", per_class=3)
    arrays = ImageFolder(root=str(tmp_path), image_size=8).decode()
    assert arrays.val_targets is not None
    assert arrays.val_targets.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert arrays.test_inputs is None
    assert str(tmp_path / "val" / "red" / "00.png") in ImageFolder(root=str(tmp_path)).source()


@given(width=st.integers(1, 70), height=st.integers(1, 70), size=st.integers(1, 40))
def test_scaled_as_torchvision_does(
    tmp_path_factory: pytest.TempPathFactory, width: int, height: int, size: int
) -> None:
    """The middle of the scaled image is bit for bit what torchvision's resize and centre crop give."""
    from torchvision.transforms.v2.functional import center_crop, resize

    pixels = np.random.default_rng(width * height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    path = tmp_path_factory.getbasetemp() / "scaled.png"
    Image.fromarray(pixels).save(path)
    expected = center_crop(resize(Image.fromarray(pixels), [size]), [size, size])
    np.testing.assert_array_equal(read_images([str(path)], size)[0], np.asarray(expected))


@pytest.mark.parametrize("side", [20, 80])
def test_many_images(tmp_path: Path, side: int) -> None:
    """Every image is in its own place, whether small ones are read in one thread or large ones in several."""
    paths = _numbered(tmp_path, side)
    assert read_images(paths, 4)[:, 2, 2, 0].tolist() == list(range(150))
    Path(paths[140]).write_bytes(b"broken")
    with pytest.raises(DataError, match=r"140\.png"):
        read_images(paths, 4)


def test_many_small_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read by other processes, all but the first; one that cannot be read is named as ever."""
    monkeypatch.setattr(reading, "_IMAGES_A_PROCESS", 60)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    paths = _numbered(tmp_path, 20)
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n.png")
    Path(paths[7]).rename(odd)
    paths[7] = odd
    here: list[str] = []
    read = reading._read

    def noted(some: list[str], into: Any) -> int:
        here.extend(some)
        return read(some, into)

    monkeypatch.setattr(reading, "_read", noted)
    assert read_images(paths, 4)[:, 2, 2, 0].tolist() == list(range(150))
    assert here == paths[:64]
    Path(paths[140]).write_bytes(b"broken")
    with pytest.raises(DataError, match=r"140\.png"):
        read_images(paths, 4)


@pytest.mark.parametrize("reader", ["import no_such_module", "print('hello')\n" + reading._READER])
def test_a_process_that_cannot_read_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: str) -> None:
    """What it leaves out, or puts in the wrong place, is read again by who asked for it."""
    monkeypatch.setattr(reading, "_IMAGES_A_PROCESS", 60)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(reading, "_READER", reader)
    assert read_images(_numbered(tmp_path, 20), 4)[:, 2, 2, 0].tolist() == list(range(150))


def _numbered(folder: Path, side: int) -> list[str]:
    """150 square images, each of a red of its own."""
    paths = [str(folder / f"{number}.png") for number in range(150)]
    for number, path in enumerate(paths):
        Image.new("RGB", (side, side), (number, 0, 0)).save(path)
    return paths


def test_large_jpeg(tmp_path: Path) -> None:
    """A JPEG that is decoded at a fraction of its size looks as it does when decoded whole."""
    rows = np.linspace(0, 255, 512).astype(np.uint8)
    image = Image.fromarray(np.stack([np.add.outer(rows // 2, rows // 2)] * 3, axis=-1))
    image.save(tmp_path / "large.jpg", quality=95)
    whole = np.asarray(Image.open(tmp_path / "large.jpg").resize((16, 16), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(read_images([str(tmp_path / "large.jpg")], 16)[0].astype(int) - whole).max() <= 3
