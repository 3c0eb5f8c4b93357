"""torchvision's networks are cut, filled and keyed without changing what they compute."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
import torch
import torchvision
from torch import nn

from tests.nn.random_weights import random_reference
from tunefast.nn.dropout import KeyedDropout
from tunefast.nn.heads import HeadOptions
from tunefast.nn.pretrained import feature_shape, torchvision_network
from tunefast.nn.summary import num_parameters
from tunefast.nn.weights import Unfilled

SIDES = {"inception_v3": 96, "maxvit_t": 224, "vit_h_14": 56}
BLOCKS = {  # one network of each family, and its blocks
    "alexnet": 3,
    "convnext_tiny": 8,
    "densenet121": 8,
    "efficientnet_b0": 9,
    "googlenet": 12,
    "inception_v3": 16,
    "maxvit_t": 5,
    "mnasnet0_5": 7,
    "mobilenet_v2": 19,
    "mobilenet_v3_small": 13,
    "regnet_y_400mf": 5,
    "resnet18": 5,
    "shufflenet_v2_x0_5": 5,
    "squeezenet1_1": 9,
    "swin_t": 8,
    "vgg11_bn": 5,
    "vit_b_32": 13,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "googlenet": {"aux_logits": False, "init_weights": True},
    "inception_v3": {"aux_logits": False, "init_weights": True},
    "vit_b_32": {"image_size": 64},
}


@pytest.mark.parametrize("arch", BLOCKS)
def test_same_function(arch: str) -> None:
    """With a state dict of torchvision's, one network of each family answers as torchvision's own does."""
    side = SIDES.get(arch, 64)
    reference, state = random_reference(arch, **OPTIONS.get(arch, {}))
    network = torchvision_network(arch, (3, side, side), 1000, tensors=state, source="here").eval()
    images = torch.randn(2, 3, side, side)
    with torch.no_grad():
        expected, outputs = reference(images), network(images)
    assert torch.allclose(outputs, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
    assert num_parameters(network) == num_parameters(reference)
    assert len(network.blocks()) == BLOCKS[arch]
    assert not any(isinstance(module, nn.Dropout) for module in network.modules())


@pytest.mark.slow
@pytest.mark.parametrize("arch", torchvision.models.list_models(module=torchvision.models))
def test_every_network(arch: str) -> None:
    """All classification networks of torchvision build, for grey images, with their own head and with a new one."""
    side = SIDES.get(arch, 64)
    for head in (None, HeadOptions("avg", (8,), 0.5)):
        with Unfilled():
            network = torchvision_network(arch, (1, side, side), 7, head=head).to("meta").eval()
        assert network(torch.empty(2, 1, side, side, device="meta")).shape == (2, 7)
        assert network.blocks()


@pytest.mark.parametrize("arch", ["resnet18", "squeezenet1_1"])
def test_new_head(arch: str) -> None:
    """A new head stands right behind the last convolution, and its backbone is that of torchvision."""
    reference, state = random_reference(arch)
    network = torchvision_network(arch, (3, 64, 64), 5, tensors=state, source="x", head=HeadOptions("avg", (7,), 0.5))
    classifier = {"resnet18": "fc", "squeezenet1_1": "classifier"}[arch]
    backbone = num_parameters(reference) - num_parameters(reference.get_submodule(classifier))
    assert num_parameters(network.backbone) == backbone
    assert num_parameters(network.head) == 512 * 7 + 7 + 7 * 5 + 5
    assert feature_shape(arch, (3, 64, 64))[0] == 512
    expected = [value for name, value in reference.named_parameters() if not name.startswith(classifier)]
    given = list(network.backbone.parameters())
    assert all(torch.equal(one, other) for one, other in zip(given, expected, strict=True))


def test_flattened_maps() -> None:
    """Flattening keeps every position of the last maps: VGG16's 512 x 2 x 2 of a 64-pixel image."""
    with Unfilled():
        network = torchvision_network("vgg16", (3, 64, 64), 5, head=HeadOptions("flatten", (9,)))
    assert [tuple(parameter.shape) for parameter in network.head.parameters()] == [(9, 2048), (9,), (5, 9), (5,)]
    assert num_parameters(network.backbone) == 14_714_688


def test_new_classifier_size() -> None:
    """For another number of outputs only the last layer is new; with 1000 the file's is kept."""
    reference, state = random_reference("mobilenet_v3_small")
    tuned = torchvision_network("mobilenet_v3_small", (3, 64, 64), 5, tensors=state, source="x")
    layers = [module for module in tuned.head.modules() if isinstance(module, nn.Linear)]
    assert torch.equal(layers[0].weight, state["classifier.0.weight"])
    assert layers[1].weight.shape == (5, 1024)
    assert not any(parameter.is_meta for parameter in tuned.parameters())
    same = torchvision_network("mobilenet_v3_small", (3, 64, 64), 1000, tensors=state, source="x")
    assert torch.equal(list(same.parameters())[-1], reference.get_parameter("classifier.3.bias"))


def test_new_layers_are_seeded() -> None:
    """What a file does not hold is drawn from torch's global generator: the same seed makes the same head."""
    _, state = random_reference("squeezenet1_1")
    heads = []
    for seed in (1, 1, 2):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            network = torchvision_network("squeezenet1_1", (3, 64, 64), 5, tensors=state, source="x")
            heads.append(torch.cat([parameter.detach().flatten() for parameter in network.head.parameters()]))
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_old_densenet_names() -> None:
    """The names in which torchvision still publishes DenseNet's weights are understood."""
    _, state = random_reference("densenet121")
    old = {re.sub(r"(norm|conv)([12])\.", r"\1.\2.", name): value for name, value in state.items()}
    assert old.keys() != state.keys()
    network = torchvision_network("densenet121", (3, 64, 64), 5, tensors=old, source="x")
    assert torch.equal(next(network.parameters()), state["features.conv0.weight"])


def test_positions_are_interpolated() -> None:
    """A vision transformer takes weights of another image size, with its positions scaled to the new grid."""
    _, state = random_reference("vit_b_32", image_size=224)
    network = torchvision_network("vit_b_32", (3, 96, 96), 5, tensors=state, source="x")
    positions = network.backbone.get_parameter("tokens.positions")
    assert positions.shape == (1, 1 + 9, 768)
    assert torch.equal(positions[:, 0], state["encoder.pos_embedding"][:, 0])


def test_wrong_weights() -> None:
    """The state dict of another network is refused, with where it is from, how much is wrong and the first name."""
    _, state = random_reference("squeezenet1_1")
    with pytest.raises(ValueError, match=r"w.pt: does not fit the model: \d+ of its tensors .*conv1.weight is missing"):
        torchvision_network("resnet18", (3, 64, 64), 5, tensors=state, source="w.pt")


@pytest.mark.parametrize(
    ("arch", "side", "works"),
    [("inception_v3", 32, 96), ("alexnet", 32, 64), ("vit_b_32", 50, 64), ("maxvit_t", 64, 224), ("vgg11", 16, 32)],
)
def test_too_small(arch: str, side: int, works: int) -> None:
    """Images that a network cannot take are refused with a size that it can."""
    with pytest.raises(ValueError, match=rf"{arch} cannot take images of {side}x{side} .*{works}x{works} is a size"):
        feature_shape(arch, (3, side, side))
    feature_shape(arch, (3, works, works))


def test_shapes_cost_little() -> None:
    """Asking for the features of a network of 650 million weights takes neither memory for them nor seconds."""
    start = time.perf_counter()
    assert feature_shape("regnet_y_128gf", (3, 64, 64)) == (7392, 2, 2)
    assert time.perf_counter() - start < 10


def test_keyed() -> None:
    """The network's own dropout and stochastic depth keep their rates."""
    with Unfilled():
        network = torchvision_network("efficientnet_b0", (3, 64, 64), 5)
    rates = [module.p for module in network.modules() if isinstance(module, KeyedDropout)]
    assert rates[-1] == 0.2
    assert len(rates) == 17
    assert max(rates[:-1]) == pytest.approx(0.1875)
