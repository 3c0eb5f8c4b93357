"""Models: what is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from tunefast.recipe.data import IMAGE_AXES
from tunefast.recipe.part import Part

if TYPE_CHECKING:
    import torch


class ModelPart(Part):
    """Options that all models share."""

    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of activations set to zero in training; slows convergence, helps where a model overfits."""
    batch_norm: bool = False
    """Normalise activations over the batch; allows larger rates, needs batches of several samples."""

    def check(self, input_shape: Sequence[int]) -> None:
        """Raise `ValueError` where the model cannot take samples of `input_shape`, as `Decoded.sample_shape` has it."""


class Mlp(ModelPart):
    """A multilayer perceptron over the flattened input.

    Buys the cheapest step there is; loses to convolutions on images of more than a few pixels.
    """

    name: Literal["mlp"] = "mlp"
    width: int = Field(128, ge=1)
    """Units in each hidden layer."""
    depth: int = Field(2, ge=0)
    """Hidden layers."""

    def build(self, input_shape: Sequence[int], num_classes: int) -> torch.nn.Module:
        """The torch module for inputs of `input_shape` (without the batch) and `num_classes` outputs."""
        from tunefast.nn.models import mlp

        return mlp(
            input_shape,
            num_classes,
            width=self.width,
            depth=self.depth,
            dropout=self.dropout,
            batch_norm=self.batch_norm,
        )


class SmallCnn(ModelPart):
    """Blocks of convolution, ReLU and pooling, each half the size and twice as wide, then a mean over what is left.

    Buys most of what a small image set has to give at a thousandth of a ResNet's cost.
    """

    name: Literal["small_cnn"] = "small_cnn"
    width: int = Field(32, ge=1)
    """Channels of the first block; doubled in each further one."""
    depth: int = Field(2, ge=1)
    """Blocks; each halves height and width, so the input needs at least 2**depth pixels a side."""
    batch_norm: bool = True
    """Normalise activations over the batch; allows larger rates, needs batches of several samples."""

    def check(self, input_shape: Sequence[int]) -> None:
        """Raise `ValueError` where samples are no images, or too small to be halved `depth` times."""
        if len(input_shape) != IMAGE_AXES:
            raise ValueError(f"small_cnn needs images, channels x height x width; samples are {tuple(input_shape)}")
        _, height, width = input_shape
        if min(height, width) < 2**self.depth:
            smallest = f"needs at least {2**self.depth} pixels a side"
            raise ValueError(f"small_cnn of depth {self.depth} {smallest}; images are {height}x{width}")

    def build(self, input_shape: Sequence[int], num_classes: int) -> torch.nn.Module:
        """The torch module for images of `input_shape` (channels, height, width) and `num_classes` outputs."""
        from tunefast.nn.models import small_cnn

        return small_cnn(
            input_shape,
            num_classes,
            width=self.width,
            depth=self.depth,
            dropout=self.dropout,
            batch_norm=self.batch_norm,
        )


Model = Annotated[Mlp | SmallCnn, Field(discriminator="name")]
