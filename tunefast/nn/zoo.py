"""What torchvision publishes with its networks: names, weights, and how images were prepared for them."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_HALVES = (0.5, 0.5, 0.5)
_RESCALE_THEMSELVES = ("googlenet", "inception_v3")


class Preparation(NamedTuple):
    """How images looked in pretraining: mean and standard deviation per channel on the [0, 1] scale, and their side."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    input_size: int


def architectures() -> list[str]:
    """The names of torchvision's classification networks."""
    import torchvision

    names: list[str] = torchvision.models.list_models(module=torchvision.models)
    return names


def weight_names(arch: str) -> list[str]:
    """The names of the weights published for `arch`."""
    return list(_published(arch).__members__)


def preparation(arch: str, weights: str = "DEFAULT") -> Preparation:
    """How images were prepared for published weights of `arch`.

    torchvision lets GoogLeNet and Inception undo the usual normalisation in favour of their own; here they get theirs
    at once.
    """
    transforms = _published(arch)[weights].transforms()
    size = int(transforms.crop_size[0])
    if arch in _RESCALE_THEMSELVES:
        return Preparation(_HALVES, _HALVES, size)
    return Preparation(tuple(transforms.mean), tuple(transforms.std), size)


def download(arch: str, weights: str) -> dict[str, Tensor]:
    """The published weights of `arch`, fetched into torch's cache where they are not there yet.

    Raises `ValueError` where that fails, with the way that needs no network.
    """
    published = _published(arch)[weights]
    try:
        tensors: dict[str, Tensor] = published.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise ValueError(
            f"{arch}: cannot download the weights {weights} from {published.url} ({error}). Without a network, fetch "
            "that file elsewhere and give its path as weights"
        ) from error
    return tensors


def _published(arch: str) -> Any:
    from torchvision.models import get_model_weights

    return get_model_weights(arch)
