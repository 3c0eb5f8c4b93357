"""Decoded data on disk: read once, shared by all processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import REPOSITORY
from tests.files import write_images, write_mnist
from tests.train.counted import Counted
from tunefast.errors import DataError
from tunefast.recipe.data import ImageFolder, Mnist, Sklearn
from tunefast.train import cache
from tunefast.train.cache import decoded


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for one test."""
    monkeypatch.setenv("TUNEFAST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "data"


def _entries(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if path.is_dir())


def test_second_load_does_not_decode(tmp_path: Path, own_cache: Path) -> None:
    """A set is decoded once and then mapped, equal to what was decoded, whatever the split."""
    part = Counted(marks=str(tmp_path))
    changed = {"validation": 0.5, "split_seed": 3, "split": "group", "fraction": 0.5}
    first, second = decoded(part), decoded(part.model_copy(update=changed))
    assert part.times_decoded == 1
    np.testing.assert_array_equal(first.inputs, second.inputs)
    np.testing.assert_array_equal(second.inputs[:, 0], np.arange(10))
    assert second.test_inputs is None
    assert len(_entries(own_cache)) == 1


@pytest.mark.parametrize("whole", [False, True])
def test_every_array_is_kept(tmp_path: Path, own_cache: Path, whole: bool) -> None:
    """What a set was decoded to comes back: each array with its values and type, and none that was not there."""
    part = Counted(marks=str(tmp_path), whole=whole)
    for kept, made in zip(decoded(part), part.decode(), strict=True):
        assert (kept is None) == (made is None)
        if kept is not None and made is not None:
            np.testing.assert_array_equal(kept, made)
            assert kept.dtype == made.dtype


def test_numbers_in_other_units_are_the_same_entry(tmp_path: Path, own_cache: Path) -> None:
    """How targets are scaled is no matter of decoding; which table it is is one."""
    for part in (Sklearn(set="linnerud"), Sklearn(set="linnerud", standardize_targets=False)):
        assert decoded(part).targets.max() > 100
    assert len(_entries(own_cache)) == 1
    decoded(Sklearn(set="iris"))
    assert len(_entries(own_cache)) == 2


def test_file_that_cannot_be_read(tmp_path: Path, own_cache: Path) -> None:
    """A link to nowhere among the images is named."""
    (write_images(tmp_path / "images") / "red" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(DataError, match=r"gone\.png: cannot be read"):
        decoded(ImageFolder(root=str(tmp_path / "images")))


def test_processes_decode_once(tmp_path: Path) -> None:
    """Processes that want the same set at the same time wait for the one that decodes it."""
    environment = {**os.environ, "TUNEFAST_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(REPOSITORY)}
    processes = [
        subprocess.Popen([sys.executable, "-m", "tests.train.counted", str(tmp_path), str(number)], env=environment)
        for number in range(2)
    ]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    assert Counted(marks=str(tmp_path)).times_decoded == 1


def test_other_options_are_another_entry(tmp_path: Path, own_cache: Path) -> None:
    """Options that change the arrays are not mixed up."""
    for size in (1, 2):
        assert decoded(Counted(marks=str(tmp_path), size=size)).inputs.shape == (10, size)
    assert len(_entries(own_cache)) == 2


def test_changed_file(tmp_path: Path, own_cache: Path) -> None:
    """A set whose files changed is decoded again."""
    raw = write_mnist(tmp_path, train=30)
    part = Mnist(root=str(tmp_path))
    assert len(decoded(part).targets) == 30
    write_mnist(tmp_path, train=40)
    assert len(decoded(part).targets) == 40
    os.utime(raw / "train-labels-idx1-ubyte", ns=(1, 1))
    decoded(part)
    assert len(_entries(own_cache)) == 3


def test_image_painted_over(tmp_path: Path, own_cache: Path) -> None:
    """An image that is overwritten in place is noticed, also in a folder inside a class's folder."""
    root = write_images(tmp_path / "images")
    part = ImageFolder(root=str(root), image_size=4)
    image = root / "blue" / "00.png"
    assert decoded(part).inputs[0, 0, 0].tolist() == [0, 0, 255]
    Image.new("RGB", (6, 6), (9, 9, 9)).save(image)
    os.utime(image, ns=(1, 1))
    assert decoded(part).inputs[0, 0, 0].tolist() == [9, 9, 9]
    (root / "blue" / "more").mkdir()
    image.rename(root / "blue" / "more" / "00.png")
    assert len(decoded(part).targets) == 24
    assert len(_entries(own_cache)) == 3


def test_mapped_arrays_cannot_change_the_cache(tmp_path: Path, own_cache: Path) -> None:
    """What one process writes into the arrays stays its own."""
    part = Counted(marks=str(tmp_path))
    decoded(part).inputs[:] = -1
    assert decoded(part).inputs[9, 0] == 9


@pytest.mark.parametrize("name", ["inputs", "targets", "val_targets"])
@pytest.mark.parametrize("kept", [None, 0, 100])
def test_damaged_entry(tmp_path: Path, own_cache: Path, name: str, kept: int | None) -> None:
    """An entry that a kill or a power failure left incomplete is decoded again, not trained on."""
    part = Counted(marks=str(tmp_path), whole=True)
    decoded(part)
    file = _entries(own_cache)[0] / f"{name}.npy"
    content = file.read_bytes()
    file.unlink()
    if kept is not None:
        file.write_bytes(content[:kept])
    assert decoded(part).targets.tolist() == [0, 1] * 5
    assert part.times_decoded == 2


def test_failed_decoding_leaves_nothing(tmp_path: Path, own_cache: Path) -> None:
    """A set that cannot be read leaves no entry that would pass for one."""
    bad = write_images(tmp_path / "images") / "red" / "01.png"
    content = bad.read_bytes()
    bad.write_bytes(b"")
    part = ImageFolder(root=str(tmp_path / "images"))
    with pytest.raises(DataError):
        decoded(part)
    assert _entries(own_cache) == []
    bad.write_bytes(content)
    assert len(decoded(part).targets) == 24


def test_eviction(tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets that were not used for longest go first, until the rest fit; the one just decoded stays."""
    parts = [Counted(marks=str(tmp_path), size=1000 + number) for number in range(4)]
    monkeypatch.setattr(cache, "CACHE_BYTES", 3 * 41_000)
    for age, part in enumerate(parts[:3]):
        decoded(part)
        newest = max(_entries(own_cache), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, (age + 1, age + 1))
    decoded(parts[0])
    decoded(parts[3])
    assert len(_entries(own_cache)) == 3
    decoded(parts[0])
    assert parts[0].times_decoded == 4
    decoded(parts[1])
    assert parts[0].times_decoded == 5
    monkeypatch.setattr(cache, "CACHE_BYTES", 1)
    np.testing.assert_array_equal(decoded(parts[2]).targets, [0, 1] * 5)
    assert len(_entries(own_cache)) == 1


def test_default_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without TUNEFAST_CACHE decoded data goes to the user's cache directory."""
    monkeypatch.setenv("TUNEFAST_CACHE", "/somewhere")
    assert cache.cache_directory() == Path("/somewhere")
    monkeypatch.delenv("TUNEFAST_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache.cache_directory().name == "tunefast"
