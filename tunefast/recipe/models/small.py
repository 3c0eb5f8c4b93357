"""Models that are trained from random weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tunefast.recipe.models.base import HalvingPart, ModelPart

if TYPE_CHECKING:
    from tunefast.nn.network import Network


class Mlp(ModelPart):
    """A multilayer perceptron over the flattened input.

    Buys the cheapest step there is; loses to convolutions on images of more than a few pixels.
    """

    name: Literal["mlp"] = "mlp"
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of activations set to zero in training; slows convergence, helps where a model overfits."""
    batch_norm: bool = False
    """Normalise activations over the batch; allows larger rates, needs batches of several samples."""
    width: int = Field(128, ge=1)
    """Units in each hidden layer."""
    depth: int = Field(2, ge=0)
    """Hidden layers."""

    def build(self, input_shape: Sequence[int], num_outputs: int) -> Network:
        """The network for samples of any shape; the head is the last layer, a block a hidden layer."""
        from tunefast.nn.models import mlp

        return mlp(
            input_shape,
            num_outputs,
            width=self.width,
            depth=self.depth,
            dropout=self.dropout,
            batch_norm=self.batch_norm,
        )


class SmallCnn(HalvingPart):
    """Blocks of convolution, ReLU and pooling, each half the size and twice as wide, then a mean over what is left.

    Buys most of what a small image set has to give at a thousandth of a ResNet's cost.
    """

    name: Literal["small_cnn"] = "small_cnn"
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of activations set to zero in training; slows convergence, helps where a model overfits."""
    batch_norm: bool = True
    """Normalise activations over the batch; allows larger rates, needs batches of several samples."""
    width: int = Field(32, ge=1)
    """Channels of the first block; doubled in each further one."""
    depth: int = Field(2, ge=1)
    """Blocks; each halves height and width, so the input needs at least 2**depth pixels a side."""

    def build(self, input_shape: Sequence[int], num_outputs: int) -> Network:
        """The network for images (channels, height, width); the head pools the last block's maps."""
        from tunefast.nn.models import small_cnn

        return small_cnn(
            input_shape,
            num_outputs,
            width=self.width,
            depth=self.depth,
            dropout=self.dropout,
            batch_norm=self.batch_norm,
        )


class ResNet9(HalvingPart):
    """A shallow, wide residual network for images of about 32 pixels: eight convolutions and one linear layer.

    Buys 94 % on CIFAR-10 in 24 epochs, where a ResNet-18 takes many times the arithmetic. At the published width
    of 64 that is work for a GPU: cost grows with the square of the width, so a CPU wants 8 to 16. Made for one-cycle or
    linear schedules with large rates; loses to deeper networks on larger images. From Page 2018 (How to train your
    ResNet; DAWNBench), which also moved pooling before batch norm and activation.
    """

    name: Literal["resnet9"] = "resnet9"
    width: int = Field(64, ge=1)
    """Channels of the first convolution; each stage doubles them."""
    depth: int = Field(3, ge=1)
    """Stages; each halves height and width, so images need at least 2**depth pixels a side."""
    residual: Literal["outer", "all", "none"] = "outer"
    """Which stages end with a residual pair of convolutions: the first and last (as published), all, or none."""
    activation: Literal["relu", "silu", "gelu", "celu"] = "relu"
    """The non-linearity; smooth ones cost a little time and help short trainings ("celu" has Page's alpha of 0.3)."""
    pool: Literal["max", "avg"] = "max"
    """How maps are halved, and taken together at the end."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of features set to zero before the last layer in training; for trainings of many epochs."""
    output_scale: float = Field(0.125, gt=0)
    """Factor on the outputs, which keeps early ones small under large learning rates; 1 for regression."""

    def build(self, input_shape: Sequence[int], num_outputs: int) -> Network:
        """The network for images (channels, height, width); features are one number per channel."""
        from tunefast.nn.models import resnet9

        return resnet9(
            input_shape,
            num_outputs,
            width=self.width,
            depth=self.depth,
            residual=self.residual,
            activation=self.activation,
            pool=self.pool,
            dropout=self.dropout,
            output_scale=self.output_scale,
        )
