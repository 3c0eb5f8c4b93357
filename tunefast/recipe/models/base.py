"""What all models have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from tunefast.recipe.data import IMAGE_AXES
from tunefast.recipe.part import Part

if TYPE_CHECKING:
    from tunefast.nn.network import Network

Normalization = tuple[tuple[float, ...], tuple[float, ...]]


class ModelPart(Part):
    """A network that can be built for samples of a shape."""

    def check(self, input_shape: Sequence[int]) -> None:
        """Raise `ValueError` where the model cannot take samples of `input_shape`, as `Decoded.sample_shape` has it."""

    def build(self, input_shape: Sequence[int], num_outputs: int) -> Network:
        """The network: [N, *input_shape] -> [N, num_outputs], on the CPU, drawn from torch's global generator."""
        raise NotImplementedError

    @property
    def pretrained(self) -> bool:
        """Whether weights come from elsewhere."""
        return False

    @property
    def input_size(self) -> int | None:
        """Height and width of the images that the pretrained weights were made for; None without such weights."""
        return None

    def normalization(self, num_channels: int = 3) -> Normalization | None:  # noqa: ARG002 -- weights decide
        """Mean and standard deviation per channel on the [0, 1] scale that the pretrained weights expect, else None.

        Weights for RGB expect their mean over the channels where there are not three.
        """
        return None

    def located(self) -> Self:
        """The same part with paths made absolute."""
        return self


class HalvingPart(ModelPart):
    """A network for images that halves them `depth` times."""

    name: str
    depth: int

    def check(self, input_shape: Sequence[int]) -> None:
        """Raise `ValueError` where samples are no images, or too small to be halved `depth` times."""
        check_images(self.name, input_shape, 2**self.depth, f" of depth {self.depth}")


def check_images(name: str, input_shape: Sequence[int], smallest: int = 1, what: str = "") -> None:
    """Raise `ValueError` where samples are no images of at least `smallest` pixels a side; `what` follows the name."""
    if len(input_shape) != IMAGE_AXES:
        raise ValueError(f"{name} needs images, channels x height x width; samples are {tuple(input_shape)}")
    _, height, width = input_shape
    if min(height, width) < smallest:
        raise ValueError(f"{name}{what} needs at least {smallest} pixels a side; images are {height}x{width}")
