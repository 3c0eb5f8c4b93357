"""CIFAR-10 and CIFAR-100: nothing is unpickled before its checksum is right."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torchvision.datasets import CIFAR10, CIFAR100

from tests.files import trust_cifar, write_cifar
from tunefast.errors import DataError
from tunefast.recipe.data import Cifar10, Cifar100

each_set = pytest.mark.parametrize(("part", "reader", "classes"), [(Cifar10, CIFAR10, 10), (Cifar100, CIFAR100, 100)])


@each_set
def test_layout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: type[Cifar10 | Cifar100], reader: Any, classes: int
) -> None:
    """Images have their channels last, with the classes that belong to them, training and test part apart."""
    write_cifar(tmp_path, reader, per_class=2)
    trust_cifar(monkeypatch, reader, per_class=2)
    arrays = part(root=str(tmp_path)).decode()
    batches = len(reader.train_list)
    assert arrays.inputs.shape == (batches * 2 * classes, 32, 32, 3)
    assert arrays.inputs.flags.c_contiguous
    np.testing.assert_array_equal(arrays.inputs[:, 0, 0, 0], arrays.targets)
    assert arrays.target_kind.counts == (2 * batches,) * classes
    assert arrays.test_targets is not None
    assert (str(arrays.targets.dtype), len(arrays.test_targets)) == ("int64", 2 * classes)


@each_set
def test_files_are_those_of_torchvision(part: type[Cifar10 | Cifar100], reader: Any, classes: int) -> None:
    """What the cache watches is every file that torchvision opens."""
    named = {name for name, _ in (*reader.train_list, *reader.test_list)} | {reader.meta["filename"]}
    assert set(part.files) == named
    assert part.folder == reader.base_folder


class _Trap:
    """Unpickling it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self.path,)


@pytest.mark.parametrize("name", ["data_batch_1", "test_batch", "batches.meta"])
def test_other_content_is_not_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A file whose checksum is wrong is refused by its path, and what it would run is not run."""
    folder = write_cifar(tmp_path, CIFAR10)
    trust_cifar(monkeypatch, CIFAR10)
    (folder / name).write_bytes(pickle.dumps(_Trap(tmp_path / "sprung")))
    with pytest.raises(DataError, match="damaged: its MD5 sum is not") as caught:
        Cifar10(root=str(tmp_path)).decode()
    assert str(folder / name) in str(caught.value)
    assert not (tmp_path / "sprung").exists()


def test_checksums_are_the_published_ones(tmp_path: Path) -> None:
    """Without a patch, a made-up set is refused."""
    write_cifar(tmp_path, CIFAR100)
    with pytest.raises(DataError, match="16019d7e3df5f24257cddd939b257f8d"):
        Cifar100(root=str(tmp_path)).decode()


def test_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing file is named, with the way to get it; that way fetches only what is missing."""
    folder = write_cifar(tmp_path, CIFAR10)
    trust_cifar(monkeypatch, CIFAR10)
    (folder / "data_batch_3").unlink()
    with pytest.raises(DataError, match=r"data_batch_3.*download = true"):
        Cifar10(root=str(tmp_path)).decode()
    monkeypatch.setattr(CIFAR10, "download", lambda self: write_cifar(Path(self.root), CIFAR10))
    assert len(Cifar10(root=str(tmp_path), download=True).source()) == 7
    assert (folder / "data_batch_3").is_file()


def test_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TUNEFAST_DATA may hold a folder of the set's name, or the files' folder itself."""
    monkeypatch.setenv("TUNEFAST_DATA", str(tmp_path))
    write_cifar(tmp_path / "cifar10", CIFAR10)
    assert Cifar10().located().root == str(tmp_path / "cifar10")
    write_cifar(tmp_path, CIFAR10)
    assert Cifar10().located().root == str(tmp_path)
