"""Every study that ships, created and run at a reduced size on real data."""

from __future__ import annotations

import os
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from safetensors.torch import save_file

from tests.integration.processes import REPOSITORY, Terminal
from tests.nn.random_weights import random_reference
from tunefast.run.specs import shipped
from tunefast.spec.load import load_spec

CIFAR = Path(os.environ.get("TUNEFAST_TEST_DATA", REPOSITORY.parent / "shared" / "data")) / "cifar10-imagefolder.tar.gz"
IMAGES_PER_CLASS = 40
LARGEST_SIZE = 48


@pytest.fixture(scope="session")
def cifar_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few real images of each class of CIFAR-10, as ``train`` and ``test`` with a folder a class."""
    if not CIFAR.is_file():
        pytest.skip(f"no {CIFAR}; point TUNEFAST_TEST_DATA at the directory that holds cifar10-imagefolder.tar.gz")
    root = tmp_path_factory.mktemp("cifar")
    with tarfile.open(CIFAR) as archive:
        wanted = [member for member in archive if int(Path(member.name).stem) < IMAGES_PER_CLASS]
        archive.extractall(root, wanted, filter="data")
    return root / "cifar10"


def reduced(table: dict[str, Any], request: pytest.FixtureRequest, directory: Path) -> dict[str, Any]:
    """A shipped spec over little of its data, for two trials of a single epoch."""
    recipe = table["recipe"]
    data = recipe["data"]["name"]
    if data == "mnist":
        recipe["data"] |= {"root": str(request.getfixturevalue("mnist_root")), "fraction": 0.02}
    elif data != "digits":
        recipe["data"] = {"name": "image_folder", "root": str(request.getfixturevalue("cifar_root"))}
    if str(recipe.get("model", {}).get("weights", "none")) != "none":
        recipe["model"]["weights"] = str(random_weights(recipe["model"]["arch"], directory))
    if recipe.get("preprocess", {}).get("image_size", 0) > LARGEST_SIZE:
        recipe["preprocess"]["image_size"] = LARGEST_SIZE
    recipe["epochs"] = 1
    recipe["drop_last"] = False
    table["budget"] = {"trials": 2}
    table["space"].pop("epochs", None)
    if "target" in table["study"]:
        table["study"]["target"] |= {"value": 0.0, "stops": False}
    return table


def random_weights(arch: str, directory: Path) -> Path:
    """A file of weights as torchvision publishes them, but random."""
    _, state = random_reference(arch)
    save_file(state, directory / "weights.safetensors")
    return directory / "weights.safetensors"


@pytest.mark.parametrize("name", shipped("studies"))
def test_a_shipped_study_runs(terminal: Terminal, request: pytest.FixtureRequest, name: str) -> None:
    """Its trials complete and report what it is judged by."""
    whole = load_spec(shipped("studies")[name])
    assert whole.study.name == name
    table = reduced(tomllib.loads(shipped("studies")[name].read_text()), request, terminal.directory)
    terminal.tunefast("study", "run", str(terminal.write("s.toml", tomlkit.dumps(table))), "-n", "2")
    study = terminal.study(name)
    assert study.counts == {"complete": 2}
    assert study.best is not None
    assert study.spec.study.metric == whole.study.metric
