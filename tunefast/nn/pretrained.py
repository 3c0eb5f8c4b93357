"""torchvision's classification networks, cut into a backbone and a head."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tunefast.nn.heads import HeadOptions, with_head
from tunefast.nn.network import Network, grouped
from tunefast.nn.stochastic import key_randomness
from tunefast.nn.weights import Unfilled, adapt_input, fill, initialise_unfilled

# What follows the features in each family, in order; "pool" and "flatten" stand for what their code calls directly.
_TAILS: dict[str, tuple[str, ...]] = {
    "AlexNet": ("avgpool", "flatten", "classifier"),
    "ConvNeXt": ("avgpool", "classifier"),
    "DenseNet": ("pool", "flatten", "classifier"),
    "EfficientNet": ("avgpool", "flatten", "classifier"),
    "GoogLeNet": ("avgpool", "flatten", "dropout", "fc"),
    "Inception3": ("avgpool", "flatten", "dropout", "fc"),
    "MNASNet": ("pool", "flatten", "classifier"),
    "MaxVit": ("classifier",),
    "MobileNetV2": ("pool", "flatten", "classifier"),
    "MobileNetV3": ("avgpool", "flatten", "classifier"),
    "RegNet": ("avgpool", "flatten", "fc"),
    "ResNet": ("avgpool", "flatten", "fc"),
    "ShuffleNetV2": ("pool", "flatten", "fc"),
    "SqueezeNet": ("classifier", "flatten"),
    "SwinTransformer": ("avgpool", "flatten", "head"),
    "VGG": ("avgpool", "flatten", "classifier"),
    "VisionTransformer": ("heads",),
}
_CLASSIFIERS = ("classifier", "fc", "head", "heads")
_CONTAINERS = ("features", "layers", "trunk_output", "blocks")
_OLD_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|conv))\.([12]\..*)$")
_SIDES = (16, 32, 48, 64, 96, 128, 160, 192, 224, 256, 299, 320, 384, 448, 512)


def torchvision_network(
    arch: str,
    input_shape: Sequence[int],
    num_outputs: int,
    *,
    tensors: dict[str, Tensor] | None = None,
    source: str = "",
    head: HeadOptions | None = None,
) -> Network:
    """The network `arch` of torchvision for images [N, *input_shape] -> [N, num_outputs].

    With `tensors`, of torchvision's names, these are its weights, `source` says in errors where they come from, and
    only what the head has anew is drawn. With `head` the classifier is replaced from the last convolution on; a vision
    transformer's feature is its class token, which has nothing to pool. Random layers are keyed, as `key_randomness`
    says. Raises `ValueError` where the tensors do not fit.
    """
    if tensors is None:
        model = _constructed(arch, input_shape, num_outputs)
        adapt_input(model, input_shape[0], None)
    else:
        with Unfilled():
            model = _constructed(arch, input_shape, num_outputs)
            tensors = _torchvision_names(model, tensors, input_shape)
            adapt_input(model, input_shape[0], tensors)
        classifier = next(name for name in _tail_names(model) if name in _CLASSIFIERS)
        fill(model, tensors, source=source, classifier=classifier)
    key_randomness(model)
    if head is not None:
        return with_head(_features(model), feature_shape(arch, tuple(input_shape)), num_outputs, head)
    network = _with_own_head(model)
    initialise_unfilled(network.head)
    return network


@functools.lru_cache(maxsize=64)
def feature_shape(arch: str, input_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the features of one image: [C, H, W], or [C] for a vision transformer. Takes no memory for weights.

    Raises `ValueError` where torchvision's `arch` cannot take images of `input_shape`, naming a size that it can.
    """
    try:
        return _traced_shape(arch, input_shape)
    except (RuntimeError, ValueError, AssertionError) as error:
        channels, height, width = input_shape
        reason = str(error).partition("\n")[0]
        hint = next(
            (side for side in _SIDES if side > min(height, width) and _takes(arch, (channels, side, side))), None
        )
        advice = f"; {hint}x{hint} is a size that works" if hint else ""
        raise ValueError(f"{arch} cannot take images of {height}x{width} ({reason}){advice}") from error


def _takes(arch: str, input_shape: tuple[int, ...]) -> bool:
    try:
        _traced_shape(arch, input_shape)
    except (RuntimeError, ValueError, AssertionError):
        return False
    return True


def _traced_shape(arch: str, input_shape: tuple[int, ...]) -> tuple[int, ...]:
    with Unfilled():
        model = _constructed(arch, input_shape, num_outputs=1)
        adapt_input(model, input_shape[0], None)
    with torch.no_grad():
        return tuple(_features(model.to("meta").eval())(torch.empty(1, *input_shape, device="meta")).shape[1:])


def _constructed(arch: str, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    from torchvision.models import get_model

    _, height, width = input_shape
    options: dict[str, Any] = {}
    if arch in {"googlenet", "inception_v3"}:
        options = {"aux_logits": False, "init_weights": True}
    elif arch.startswith("vit_"):
        if height != width:
            raise ValueError("a vision transformer needs images as high as wide")
        options = {"image_size": height}
    elif arch.startswith("maxvit"):
        options = {"input_size": (height, width)}
    model: nn.Module = get_model(arch, weights=None, num_classes=num_outputs, **options)
    return model


def _torchvision_names(model: nn.Module, tensors: dict[str, Tensor], input_shape: Sequence[int]) -> dict[str, Tensor]:
    """A copy of `tensors` as today's torchvision names them, with positions for images of `input_shape`."""
    positions = tensors.get("encoder.pos_embedding")
    if type(model).__name__ == "DenseNet":
        return {_OLD_DENSENET.sub(r"\1\2", name): value for name, value in tensors.items()}
    if type(model).__name__ == "VisionTransformer" and positions is not None and positions.ndim == 3:  # noqa: PLR2004
        from torchvision.models.vision_transformer import interpolate_embeddings

        patch = int(model.patch_size)  # type: ignore[arg-type]
        try:
            resized: dict[str, Tensor] = interpolate_embeddings(input_shape[1], patch, dict(tensors))
        except ValueError:  # no square of patches: the shapes are compared later
            return dict(tensors)
        return resized
    return dict(tensors)


def _tail_names(model: nn.Module) -> tuple[str, ...]:
    family = type(model).__name__
    if family not in _TAILS:
        raise ValueError(f"torchvision's {family} is not known here; known: {', '.join(_TAILS)}")
    return _TAILS[family]


def _features(model: nn.Module) -> nn.Sequential:
    """The network up to its last feature maps, as blocks in the order of the forward pass."""
    if type(model).__name__ == "VisionTransformer":
        return _transformer_features(model)
    tail = _tail_names(model)
    children: list[tuple[str, nn.Module]] = []
    for name, child in model.named_children():
        if name in _CONTAINERS:
            children += [(f"{name}{index}", piece) for index, piece in enumerate(child.children())]
        elif name not in tail:
            children.append((name, child))
    if type(model).__name__ == "DenseNet":
        children.append(("relu", nn.ReLU(inplace=True)))
    return grouped(children)


def _with_own_head(model: nn.Module) -> Network:
    """The network as published; pooling and flattening, which have no parameters, end the backbone."""
    pieces, rest = _features(model), nn.Sequential()
    for name in _tail_names(model):
        if name == "pool":
            layers: list[nn.Module] = [nn.AdaptiveAvgPool2d(1)]
        elif name == "flatten":
            layers = [nn.Flatten()]
        else:
            part = model.get_submodule(name)
            layers = list(part.children()) if isinstance(part, nn.Sequential) else [part]
        for layer in layers:
            fixed = isinstance(layer, nn.AdaptiveAvgPool2d | nn.Flatten)
            (pieces if fixed and not len(rest) else rest).append(layer)
    return Network(pieces, rest)


class PatchTokens(nn.Module):
    """The first stage of a vision transformer: images [N, C, H, W] -> tokens [N, 1 + patches, D], class token first."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.projection: nn.Module = model.conv_proj
        self.class_token: nn.Parameter = model.class_token
        self.positions: nn.Parameter = model.encoder.pos_embedding
        self.dropout: nn.Module = model.encoder.dropout

    def forward(self, x: Tensor) -> Tensor:
        """The tokens with their positions added."""
        patches: Tensor = self.projection(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(x), -1, -1), patches], dim=1) + self.positions
        dropped: Tensor = self.dropout(tokens)
        return dropped


class ClassToken(nn.Module):
    """The first token: [N, tokens, D] -> [N, D]."""

    def forward(self, x: Tensor) -> Tensor:
        """The class token's vector."""
        return x[:, 0]


def _transformer_features(model: Any) -> nn.Sequential:
    layers = [(f"layers{index}", layer) for index, layer in enumerate(model.encoder.layers)]
    return grouped([("tokens", PatchTokens(model)), *layers, ("ln", model.encoder.ln), ("class_token", ClassToken())])
