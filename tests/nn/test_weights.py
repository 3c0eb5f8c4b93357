"""Weights from files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tunefast.nn.weights import Unfilled, adapt_input, fill, initialise_unfilled, read_tensors


def _net(channels: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def _layer(model: nn.Module, index: int) -> nn.Module:
    return model.get_submodule(str(index))


def _equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth"])
def test_round_trip(suffix: str, tmp_path: Path) -> None:
    """Every format gives back what was saved, bit for bit."""
    state, path = _net().state_dict(), tmp_path / f"weights{suffix}"
    if suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    assert _equal(read_tensors(path), dict(state))


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_wrapped(wrapper: str, tmp_path: Path) -> None:
    """A training script's checkpoint is read too: wrapped, and in DistributedDataParallel's names."""
    state = _net().state_dict()
    torch.save({wrapper: {f"module.{name}": value for name, value in state.items()}, "epoch": 3}, tmp_path / "w.pt")
    assert _equal(read_tensors(tmp_path / "w.pt"), dict(state))


def test_old_format(tmp_path: Path) -> None:
    """Files from before torch 1.6, as torchvision still publishes them, are read."""
    state = _net().state_dict()
    torch.save(state, tmp_path / "w.pth", _use_new_zipfile_serialization=False)
    assert _equal(read_tensors(tmp_path / "w.pth"), dict(state))


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
def test_damaged(name: str, tmp_path: Path) -> None:
    """What is no file of weights is refused with its path."""
    (tmp_path / name).write_bytes(b"no weights at all")
    with pytest.raises(ValueError, match=rf"{name}: cannot be read as weights"):
        read_tensors(tmp_path / name)


def test_no_code_is_run(tmp_path: Path) -> None:
    """A pickled module, which could run code when read, is refused."""
    torch.save(_net(), tmp_path / "w.pt")
    with pytest.raises(ValueError, match="cannot be read as weights"):
        read_tensors(tmp_path / "w.pt")


def test_no_state_dict(tmp_path: Path) -> None:
    """A file of something else is refused."""
    torch.save([1, 2], tmp_path / "w.pt")
    with pytest.raises(ValueError, match="holds no state dict"):
        read_tensors(tmp_path / "w.pt")


def test_fill_is_exact_and_a_copy() -> None:
    """Weights arrive bit for bit, and training them leaves what they came from as it is."""
    state = {name: torch.randn_like(value.float()).to(value.dtype) for name, value in _net().state_dict().items()}
    kept = {name: value.clone() for name, value in state.items()}
    with Unfilled():
        model = _net()
    fill(model, state, source="here")
    assert _equal(dict(model.state_dict()), state)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert _equal(state, kept)


def test_fill_names_what_does_not_fit() -> None:
    """Missing tensors and other shapes are counted, and the first is named with both shapes."""
    state = dict(_net().state_dict())
    state["0.weight"] = torch.zeros(4, 3, 5, 5)
    del state["1.running_mean"]
    first = r"0\.weight is \[4, 3, 5, 5\] where the model has \[4, 3, 3, 3\]"
    with pytest.raises(ValueError, match=rf"w.pt: .* 2 of its tensors are missing or of another shape.*{first}"):
        fill(_net(), state, source="w.pt")


def test_fill_leaves_another_classifier() -> None:
    """A classifier of another size in the file is ignored, where one of the same size is taken."""
    state = dict(_net().state_dict())
    with Unfilled():
        model = _net()
    other = {**state, "3.weight": torch.zeros(9, 4)}
    fill(model, other, source="w.pt", classifier="3")
    assert _layer(model, 3).get_parameter("weight").is_meta
    assert torch.equal(_layer(model, 3).get_parameter("bias"), state["3.bias"])
    initialise_unfilled(model)
    assert _layer(model, 3).get_parameter("weight").shape == (2, 4)
    assert 0 < float(_layer(model, 3).get_parameter("weight").detach().abs().max()) <= 0.5


def test_old_files_count_no_batches() -> None:
    """A file without batch norm's counter, as torch saved before 0.4.1, fits; one without its statistics does not."""
    state = dict(_net().state_dict())
    del state["1.num_batches_tracked"]
    with Unfilled():
        model = _net()
    fill(model, state, source="w.pt")
    assert int(model.state_dict()["1.num_batches_tracked"]) == 0


@pytest.mark.parametrize("channels", [2, 3, 4, 7])
def test_colours_take_turns(channels: int) -> None:
    """For another number of channels the colours' weights repeat, scaled so that their sum stays about the same."""
    rgb = _net()
    tensors = {name: value.clone() for name, value in rgb.state_dict().items()}
    model = _net()
    adapt_input(model, channels, tensors)
    fill(model, tensors, source="here")
    assert model(torch.ones(2, channels, 3, 3)).shape == (2, 2)
    for channel in range(channels):
        assert torch.allclose(
            _layer(model, 0).get_parameter("weight")[:, channel],
            _layer(rgb, 0).get_parameter("weight")[:, channel % 3] * 3 / channels,
        )


def test_grey_is_rgb_of_equal_colours() -> None:
    """A grey image is answered exactly as its three equal colours."""
    rgb = _net()
    tensors = dict(rgb.state_dict())
    model = _net()
    adapt_input(model, 1, tensors)
    fill(model, tensors, source="here")
    grey = torch.randn(2, 1, 5, 5)
    assert torch.allclose(_layer(model, 0)(grey), _layer(rgb, 0)(grey.repeat(1, 3, 1, 1)), atol=1e-5)


def test_random_input_keeps_its_spread() -> None:
    """Random weights for other channels are as large as those they replace."""
    model = nn.Sequential(nn.Conv2d(3, 64, 7))
    spread = float(_layer(model, 0).get_parameter("weight").detach().std())
    adapt_input(model, 5, None)
    assert _layer(model, 0).get_parameter("weight").shape == (64, 5, 7, 7)
    assert float(_layer(model, 0).get_parameter("weight").detach().std()) == pytest.approx(spread, rel=0.05)
    assert model(torch.randn(1, 5, 9, 9)).shape == (1, 64, 3, 3)
