"""The network for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.nn.random_weights import random_reference
from tests.train.driving import CPU, lane, recipe
from tunefast.errors import DataError, UserError
from tunefast.train import export
from tunefast.train.datasets import load_dataset
from tunefast.train.export import Deployable, check_export, deployable, export_model, load_model, write_model
from tunefast.train.lane import Lane

RECIPES: dict[str, dict[str, Any]] = {
    "images": {"model": {"name": "small_cnn", "width": 4, "dropout": 0.5}},
    "a table": {"data": {"name": "sklearn", "set": "wine"}, "model": {"name": "mlp", "width": 8}},
    "averaged": {"averaging": {"decay": 0.9}},
    "by its range": {"preprocess": {"normalize": "range", "low": -1.0}},
}


def stored(trained: Lane) -> torch.Tensor:
    """The test part as it is stored, images with their channels first."""
    inputs = trained.raw.test.inputs[trained.raw.test.rows]
    return inputs.permute(0, 3, 1, 2).float() if trained.raw.is_images else inputs


def outputs(trained: Lane) -> torch.Tensor:
    """What training itself sees of the test part."""
    inputs = trained.preparation.inputs(trained.raw.test.inputs[trained.raw.test.rows])
    with torch.no_grad():
        found: torch.Tensor = trained.result().eval()(inputs)
    return found


def trained_lane(**settings: Any) -> Lane:
    """A lane after an epoch."""
    made = lane(**settings)
    made.train_epoch(1)
    return made


@pytest.mark.parametrize("case", RECIPES)
def test_what_is_written_and_loaded_says_what_the_trained_network_says(tmp_path: Path, case: str) -> None:
    """Scaling, averages and dropout are where they belong; samples go in as they are stored."""
    trained = trained_lane(**RECIPES[case])
    wanted = outputs(trained)
    write_model(deployable(trained), trained, tmp_path / "model.safetensors")
    loaded = load_model(tmp_path)
    assert torch.allclose(loaded(stored(trained)), wanted, atol=1e-5)
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_numbers_come_out_in_the_units_of_the_data(tmp_path: Path) -> None:
    """What was trained on standardised targets predicts what stands in the data."""
    settings = {"data": {"name": "sklearn", "set": "diabetes"}, "loss": {"name": "mse"}, "model": {"name": "mlp"}}
    made = recipe(**settings, optimizer={"name": "adam", "lr": 0.01}, epochs=5)
    trained = Lane(made, load_dataset(made.data, CPU), 0, CPU)
    for epoch in range(1, 6):
        trained.train_epoch(epoch)
    standardised = outputs(trained)
    write_model(deployable(trained), trained, tmp_path / "m.safetensors")
    found = load_model(tmp_path / "m.safetensors")(stored(trained))
    assert standardised.abs().max() < 5
    assert 100 < found.mean() < 200  # diabetes progression is 152 on average, with a deviation of 77
    assert torch.corrcoef(torch.cat([found, standardised], dim=1).T)[0, 1] > 0.9999


def test_the_file_is_the_same_every_time_and_needs_no_weights_from_elsewhere(tmp_path: Path) -> None:
    """A network that began with a file of weights is loaded without that file."""
    _, state = random_reference("mobilenet_v3_small", num_classes=10)
    weights = tmp_path / "pretrained.safetensors"
    save_file(state, weights)
    settings: dict[str, Any] = {
        "model": {"name": "torchvision", "arch": "mobilenet_v3_small", "weights": str(weights), "head": {"hidden": 8}},
        "preprocess": {"image_size": 32},
    }
    trained = lane(**settings)
    module = deployable(trained)
    for name in ("a", "b"):
        write_model(module, trained, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    weights.unlink()
    images = torch.rand(2, 1, 32, 32) * 255
    assert torch.equal(load_model(tmp_path / "a")(images), module(images))


def test_names_are_those_of_the_network_and_its_scaling(tmp_path: Path) -> None:
    """The file holds the network's tensors under backbone and head, the scaling, and nothing else."""
    trained = trained_lane()
    write_model(deployable(trained), trained, tmp_path / "m.safetensors")
    tensors = load_file(tmp_path / "m.safetensors")
    assert set(tensors) == {*trained.result().state_dict(), "scale", "shift"}


def test_loading_draws_nothing_from_the_global_generator(tmp_path: Path) -> None:
    """The network's first weights are drawn aside."""
    trained = trained_lane()
    write_model(deployable(trained), trained, tmp_path / "m.safetensors")
    before = torch.get_rng_state()
    load_model(tmp_path / "m.safetensors")
    assert torch.equal(before, torch.get_rng_state())


def test_what_is_no_model_of_ours_is_named(tmp_path: Path) -> None:
    """A missing file, another program's, and one that is cut off."""
    with pytest.raises(DataError, match=r"model.safetensors: no such file"):
        load_model(tmp_path)
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "x.safetensors").read_bytes()[:-2])
    for name in ("x", "cut"):
        with pytest.raises(DataError, match="is no model that tunefast train wrote"):
            load_model(tmp_path / f"{name}.safetensors")


def test_a_missing_package_is_named_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--export onnx` without onnx says what to install."""
    monkeypatch.setattr(export, "_ONNX_PACKAGES", ("json", "no_such_onnx"))
    with pytest.raises(UserError, match=r"needs no_such_onnx: pip install 'tunefast\[onnx\]'"):
        check_export("onnx")
    check_export("torch")


def test_a_network_that_torch_cannot_export_is_one_message(tmp_path: Path) -> None:
    """It says that the model itself is there."""

    class Counting(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * x.sum().item() if bool(x.sum() > 0) else x

    network = deployable(lane())
    network.head = Counting()
    with pytest.raises(UserError, match=r"torch cannot export this network .*model\.safetensors is written"):
        export_model(network, torch.zeros(1, 1, 8, 8), tmp_path / "model.pt2", "torch")


def test_a_deployable_network_is_one_module() -> None:
    """What is loaded is an ordinary module with a backbone and a head, as transfer learning wants it."""
    module: torch.nn.Module = deployable(lane())
    assert isinstance(module, Deployable)
    assert {name.partition(".")[0] for name, _ in module.named_parameters()} == {"backbone", "head"}
