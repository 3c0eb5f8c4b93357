"""What all tests share: an own cache directory, one thread, and the same random examples in every run."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

REPOSITORY = Path(__file__).parents[1]

settings.register_profile("tunefast", deadline=None, max_examples=50, derandomize=True, database=None)
settings.load_profile("tunefast")


@pytest.fixture(autouse=True, scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty directory for decoded data, so that no test reads or fills the user's."""
    directory = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNEFAST_CACHE", str(directory))
        yield directory


@pytest.fixture(autouse=True, scope="session")
def ctrl_c() -> None:
    """Processes that tests start obey Ctrl-C, also where a script runs the tests in its background, which does not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Tests share the machine, and equal bits need an equal number of threads."""
    torch.set_num_threads(1)


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory for sockets, with a path short enough for them."""
    with tempfile.TemporaryDirectory(prefix="tf") as directory:
        monkeypatch.setenv("XDG_RUNTIME_DIR", directory)
        yield Path(directory)


@pytest.fixture
def mnist_root() -> Path:
    """The directory of the real MNIST: ``$TUNEFAST_TEST_DATA/mnist``, by default beside the repository."""
    data = Path(os.environ.get("TUNEFAST_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    root = data / "mnist"
    if not (root / "MNIST" / "raw").is_dir():
        pytest.skip(f"no MNIST in {root}; point TUNEFAST_TEST_DATA at a directory that holds mnist/MNIST/raw")
    return root
