"""Model parts build the network they describe."""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import get_model

from tunefast.nn.dropout import KeyedDropout
from tunefast.nn.network import Network
from tunefast.recipe.models import Head, Mlp, Model, ModelPart, OwnModel, ResNet9, SmallCnn, Timm, Torchvision

PARTS: list[type[ModelPart]] = [part for part in typing.get_args(typing.get_args(Model)[0]) if part is not OwnModel]
TINY = {"resnet9": {"width": 4}, "torchvision": {"arch": "squeezenet1_1"}, "timm": {"arch": "resnet10t"}}


def _count(model: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(module, kind) for module in model.modules())


def _tiny(part: type[ModelPart]) -> ModelPart:
    name = part().table()["name"]
    if name == "timm":
        pytest.importorskip("timm", reason="timm is an extra: pip install timm")
    return part.model_validate(TINY.get(name, {}))


def _seeded(model: ModelPart, shape: tuple[int, ...], seed: int) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return model.build(shape, 7)


def _weights(network: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("channels", [1, 3])
def test_builds(part: type[ModelPart], channels: int) -> None:
    """Every model takes the images it has checked, cut into features and head, and gives every parameter a gradient."""
    model, shape = _tiny(part), (channels, 32, 32)
    model.check(shape)
    network = _seeded(model, shape, 1).eval()
    images = torch.randn(3, *shape)
    outputs = network(images)
    assert outputs.shape == (3, 7)
    assert torch.equal(network.head(network.backbone(images)), outputs)
    assert network.blocks()
    inside = {id(parameter) for parameter in network.backbone.parameters()}
    assert all(id(parameter) in inside for block in network.blocks() for parameter in block.parameters())
    outputs.square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("part", PARTS)
def test_seeded(part: type[ModelPart]) -> None:
    """Weights are a function of torch's global generator: the same seed, the same weights."""
    model = _tiny(part)
    one, same, other = (_weights(_seeded(model, (3, 32, 32), seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("part", PARTS)
def test_random_weights_expect_nothing(part: type[ModelPart]) -> None:
    """Without pretrained weights no image size or normalisation is asked for."""
    model = part()
    assert (model.pretrained, model.input_size, model.normalization()) == (False, None, None)
    assert model.located() == model


def test_mlp_options() -> None:
    """Width, depth, dropout and batch norm are those of the network."""
    model = Mlp(width=24, depth=3, dropout=0.2, batch_norm=True).build((1, 8, 8), 10)
    widths = [module.out_features for module in model.modules() if isinstance(module, nn.Linear)]
    assert widths == [24, 24, 24, 10]
    assert (_count(model, KeyedDropout), _count(model, nn.BatchNorm1d)) == (3, 3)


def test_small_cnn_options() -> None:
    """Each block is twice as wide as the one before; batch norm can be left out."""
    model = SmallCnn(width=4, depth=3, dropout=0.1, batch_norm=False).build((3, 16, 16), 5)
    widths = [module.out_channels for module in model.modules() if isinstance(module, nn.Conv2d)]
    assert widths == [4, 8, 16]
    assert (_count(model, KeyedDropout), _count(model, nn.BatchNorm2d)) == (1, 0)


def test_resnet9_options() -> None:
    """Width, depth, residuals, activation, pooling and dropout are those of the network."""
    model = ResNet9(width=4, depth=2, residual="none", activation="silu", pool="avg", dropout=0.1).build((3, 8, 8), 5)
    widths = [module.out_channels for module in model.modules() if isinstance(module, nn.Conv2d)]
    assert widths == [4, 8, 16]
    assert (_count(model, nn.SiLU), _count(model, nn.AvgPool2d), _count(model, KeyedDropout)) == (3, 2, 1)


@pytest.mark.parametrize("options", [{"width": 0}, {"depth": -1}, {"dropout": 1.0}, {"dropout": -0.1}, {"widht": 3}])
@pytest.mark.parametrize("part", [Mlp, SmallCnn, ResNet9])
def test_out_of_range(part: type[ModelPart], options: dict[str, object]) -> None:
    """An option that makes no network is refused."""
    with pytest.raises(ValidationError):
        part.model_validate(options)


@pytest.mark.parametrize("shape", [(64,), (8, 8), (1, 2, 8, 8)])
@pytest.mark.parametrize("part", [SmallCnn, ResNet9, Torchvision, Timm])
def test_needs_images(part: type[ModelPart], shape: tuple[int, ...]) -> None:
    """A table is refused, and the message says what the data looks like."""
    with pytest.raises(ValueError, match=f"{part().table()['name']} needs images") as caught:
        part().check(shape)
    assert str(shape) in str(caught.value)


@pytest.mark.parametrize("part", [SmallCnn, ResNet9])
def test_needs_pixels(part: type[ModelPart]) -> None:
    """An image that cannot be halved often enough is refused with both sizes."""
    with pytest.raises(ValueError, match="depth 4 needs at least 16 pixels a side; images are 8x20"):
        part.model_validate({"depth": 4}).check((1, 8, 20))
    part.model_validate({"depth": 3}).check((1, 8, 20))


@pytest.mark.parametrize("hidden", [0, 16, [16, 8], []])
def test_head_table(hidden: Any) -> None:
    """Hidden layers are a number or a list, and a table with either makes an equal part that can be a key."""
    adapter: TypeAdapter[Any] = TypeAdapter(Model)
    model = adapter.validate_python({"name": "torchvision", "head": {"hidden": hidden}})
    assert adapter.validate_python(model.table()) == model
    assert adapter.validate_json(adapter.dump_json(model)) == model
    assert hash(model) == hash(adapter.validate_python(model.table()))
    widths = tuple(hidden) if isinstance(hidden, list) else (hidden,) * (hidden > 0)
    assert model.head.options().hidden == widths


@pytest.mark.parametrize("hidden", [-1, [0], [2.0], "8", True])
def test_bad_hidden_layers(hidden: Any) -> None:
    """A layer without units is refused."""
    with pytest.raises(ValidationError):
        Head.model_validate({"hidden": hidden})


def test_torchvision_parameters() -> None:
    """A new head leaves ResNet-18 without its last layer, plus what the head has."""
    network = Torchvision(head=Head(hidden=(16,), dropout=0.5)).build((3, 64, 64), 4)
    original = get_model("resnet18", weights=None)
    expected = sum(value.numel() for name, value in original.named_parameters() if not name.startswith("fc"))
    assert sum(parameter.numel() for parameter in network.backbone.parameters()) == expected == 11_176_512
    assert sum(parameter.numel() for parameter in network.head.parameters()) == 512 * 16 + 16 + 16 * 4 + 4
    assert _count(network.head, KeyedDropout) == 1


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_file(suffix: str, tmp_path: Path) -> None:
    """A file of torchvision's own state dict makes a backbone that is equal bit for bit, batch norm included."""
    original, path = get_model("resnet18", weights=None), tmp_path / f"resnet18{suffix}"
    original.bn1.running_mean.fill_(0.25)
    if suffix == ".safetensors":
        save_file(original.state_dict(), path)
    else:
        torch.save(original.state_dict(), path)
    network = Torchvision(weights=str(path)).build((3, 64, 64), 5)
    del original.fc
    ours = network.backbone.state_dict()
    assert len(ours) == len(original.state_dict())
    for one, other in zip(ours.values(), original.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert network.head.state_dict()["0.weight"].shape == (5, 512)


def test_timm_weights_file(tmp_path: Path) -> None:
    """A file of timm's own state dict makes an equal backbone; its classifier is left out."""
    timm = pytest.importorskip("timm", reason="timm is an extra: pip install timm")
    original: nn.Module = timm.create_model("resnet10t")
    torch.save(original.state_dict(), tmp_path / "w.pt")
    network = Timm(arch="resnet10t", weights=str(tmp_path / "w.pt")).build((3, 64, 64), 5)
    ours = {name.removeprefix("backbone.model."): value for name, value in network.state_dict().items()}
    names = [name for name in original.state_dict() if not name.startswith("fc")]
    assert all(torch.equal(ours[name], original.state_dict()[name]) for name in names)


def test_expectations() -> None:
    """Pretrained weights say what images they expect; channels that are not RGB expect the mean."""
    model = Torchvision(arch="inception_v3", weights="DEFAULT")
    assert (model.pretrained, model.input_size) == (True, 299)
    colours = Torchvision(weights="IMAGENET1K_V1").normalization()
    assert colours == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    grey = Torchvision(weights="x.pt").normalization(1)
    assert grey is not None
    assert grey[0] == pytest.approx([sum(colours[0]) / 3])


def test_located(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path becomes absolute, so that a worker in another directory finds it; a name stays a name."""
    monkeypatch.chdir(tmp_path)
    located = Torchvision(weights="w.pt").located()
    assert located.weights == str(tmp_path / "w.pt")
    assert located.located() == located
    assert Torchvision(weights="DEFAULT").located().weights == "DEFAULT"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arch": "resnet19"}, "torchvision has no network 'resnet19'. Did you mean 'resnet18'"),
        ({"weights": "IMAGENET1K_V9"}, "no weights 'IMAGENET1K_V9': choose from none, IMAGENET1K_V1, DEFAULT"),
        ({"weights": "/no/such/w.safetensors"}, "/no/such/w.safetensors: no such file"),
        ({"arch": "alexnet"}, "alexnet cannot take images of 32x32 .*64x64 is a size that works"),
    ],
)
def test_torchvision_refuses(options: dict[str, Any], message: str) -> None:
    """Unknown names, missing files and images that are too small are refused before anything is built."""
    with pytest.raises(ValueError, match=message):
        Torchvision.model_validate(options).check((3, 32, 32))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arch": "resnet18d1"}, "timm has no network 'resnet18d1'. Did you mean 'resnet18d'"),
        ({"weights": "DEFAULT"}, "no weights 'DEFAULT': choose from none, pretrained"),
        ({"weights": "/no/such/w.pt"}, "/no/such/w.pt: no such file"),
    ],
)
def test_timm_refuses(options: dict[str, Any], message: str) -> None:
    """Unknown names and missing files are refused before anything is built."""
    pytest.importorskip("timm", reason="timm is an extra: pip install timm")
    with pytest.raises(ValueError, match=message):
        Timm.model_validate(options).check((3, 32, 32))


def test_timm_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without timm the message says how to get it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ValueError, match="pip install timm"):
        Timm().check((3, 32, 32))


def test_wrong_file(tmp_path: Path) -> None:
    """A file of another network's weights is refused with its path and the first tensor that does not fit."""
    path = tmp_path / "w.safetensors"
    save_file(get_model("squeezenet1_1", weights=None).state_dict(), path)
    with pytest.raises(ValueError, match=rf"{path}: .*tensors .*the first: conv1.weight is missing"):
        Torchvision(weights=str(path)).build((3, 64, 64), 5)
