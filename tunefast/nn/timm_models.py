"""timm's networks, with a new head: imports timm, which need not be installed, inside its functions only."""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tunefast.nn.heads import HeadOptions, dense_head
from tunefast.nn.network import Network, grouped
from tunefast.nn.stochastic import key_randomness
from tunefast.nn.weights import Unfilled, adapt_input, fill
from tunefast.nn.zoo import IMAGENET_MEAN, IMAGENET_STD, Preparation

_CONTAINERS = ("features", "stages", "blocks", "layers")
_IMAGENET_SIZE = 224
_REFUSALS = (RuntimeError, ValueError, AssertionError, TypeError)


class TimmBackbone(nn.Module):
    """A timm model without its classifier: images [N, C, H, W] -> its pooled features, or all of them, flattened."""

    def __init__(self, model: nn.Module, *, flatten: bool) -> None:
        super().__init__()
        self.model = model
        self.flatten = flatten

    def forward(self, x: Tensor) -> Tensor:
        """Features [N, F]."""
        features: Tensor = self.model.forward_features(x) if self.flatten else self.model(x)  # type: ignore[operator]
        return features.flatten(1)

    def blocks(self) -> list[nn.Module]:
        """The model's stages, in the order in which it names them."""
        children: list[tuple[str, nn.Module]] = []
        for name, child in self.model.named_children():
            if name in _CONTAINERS and isinstance(child, nn.Sequential | nn.ModuleList):
                children += [(f"{name}{index}", piece) for index, piece in enumerate(child)]
            else:
                children.append((name, child))
        return list(grouped(children).children())


def timm_network(
    arch: str,
    input_shape: Sequence[int],
    num_outputs: int,
    *,
    tensors: dict[str, Tensor] | None = None,
    source: str = "",
    download: bool = False,
    head: HeadOptions | None = None,
) -> Network:
    """The network `arch` of timm for images [N, *input_shape] -> [N, num_outputs], with weights `tensors` if given.

    Without `head` the model's own pooling is followed by one layer, as in timm. Tensors have timm's names; `source`
    says in errors where they come from, and `download` lets timm fetch its own. Random layers are keyed, as
    `key_randomness` says. Raises `ValueError` where tensors do not fit or cannot be fetched.
    """
    shape = tuple(input_shape)
    num_features = num_timm_features(arch, shape, None if head is None else head.pool)
    try:
        backbone = _backbone(arch, shape, None if head is None else head.pool, pretrained=download)
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"{arch}: timm cannot make it with its pretrained weights ({reason}). Without a network, give the path "
            "of a downloaded .safetensors or .pth file as weights"
        ) from error
    if tensors is not None:
        tensors = _timm_names(backbone.model, tensors, source)
        adapt_input(backbone.model, shape[0], tensors)
        fill(backbone.model, tensors, source=source)
    key_randomness(backbone)
    return Network(backbone, dense_head(num_features, num_outputs, head or HeadOptions()), backbone.blocks())


@functools.lru_cache(maxsize=64)
def num_timm_features(arch: str, input_shape: tuple[int, ...], pool: str | None) -> int:
    """How many features an image has after `pool`; None stands for the model's own pooling.

    Raises `ValueError` where timm's `arch` cannot take images of `input_shape`, or cannot be pooled so.
    """
    try:
        with Unfilled():
            backbone = _backbone(arch, input_shape, pool)
        with torch.no_grad():
            features = backbone.to("meta").eval()(torch.empty(1, *input_shape, device="meta"))
    except _REFUSALS as error:
        _, height, width = input_shape
        reason = str(error).partition("\n")[0] or type(error).__name__
        pooling = "" if pool is None else f" with pool = {pool!r}"
        raise ValueError(f"{arch} cannot take images of {height}x{width}{pooling} ({reason})") from error
    return math.prod(features.shape[1:])


def timm_preparation(arch: str) -> Preparation:
    """How images were prepared for the weights that timm publishes for `arch`; as for ImageNet where it has none."""
    import timm

    published = timm.get_pretrained_cfg(arch)
    if published is None:
        return Preparation(IMAGENET_MEAN, IMAGENET_STD, _IMAGENET_SIZE)
    return Preparation(tuple(published.mean), tuple(published.std), published.input_size[1])


def _backbone(arch: str, input_shape: tuple[int, ...], pool: str | None, *, pretrained: bool = False) -> TimmBackbone:
    import timm

    options: dict[str, Any] = {}
    published = timm.get_pretrained_cfg(arch)
    if published is not None and published.fixed_input_size:
        options["img_size"] = input_shape[1:]
    if pool in {"avg", "max"}:
        options["global_pool"] = pool
    model = timm.create_model(arch, pretrained=pretrained, num_classes=0, in_chans=input_shape[0], **options)
    return TimmBackbone(model, flatten=pool == "flatten")


def _timm_names(model: nn.Module, tensors: dict[str, Tensor], source: str) -> dict[str, Tensor]:
    """A copy of `tensors` as today's timm names and sizes them, by the function that a family may have for that."""
    convert = getattr(importlib.import_module(type(model).__module__), "checkpoint_filter_fn", None)
    if convert is None:
        return dict(tensors)
    try:
        return dict(convert(dict(tensors), model))
    except (KeyError, RuntimeError, ValueError) as error:
        raise ValueError(f"{source}: does not fit the model ({type(error).__name__}: {error})") from error
