"""Models from libraries, with random weights or with weights that come from elsewhere."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field

from tunefast.errors import nearest
from tunefast.recipe.models.base import ModelPart, Normalization, check_images
from tunefast.recipe.part import Part

if TYPE_CHECKING:
    from torch import Tensor

    from tunefast.nn.heads import HeadOptions
    from tunefast.nn.network import Network
    from tunefast.nn.zoo import Preparation

NO_WEIGHTS = "none"
_FILE_SUFFIXES = (".safetensors", ".pt", ".pth")
_RGB = 3

Width = Annotated[int, Field(ge=1)]


class Head(Part):
    """A new head on a network's last feature maps, in place of its classifier.

    Buys a small head for a small data set (VGG16's own has 120 million weights), and features that are cheap to keep
    when the backbone is frozen. Pooling loses where things are; flattening keeps it at the price of a large first
    layer.
    """

    pool: Literal["avg", "max", "flatten"] = "avg"
    """What becomes of a map: its mean, its maximum, or all of its values. Transformers that have no maps ignore it."""
    hidden: Annotated[int, Field(ge=0)] | Annotated[tuple[Width, ...], Field(strict=False)] = 0
    """Units of the hidden layers before the last one: a number for one layer, a list for several, 0 for none."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of activations set to zero in training, after each hidden layer; without any, of the features."""

    def options(self) -> HeadOptions:
        """The same as the builders of networks take it."""
        from tunefast.nn.heads import HeadOptions

        widths = self.hidden if isinstance(self.hidden, tuple) else (self.hidden,) * (self.hidden > 0)
        return HeadOptions(self.pool, widths, self.dropout)


class PretrainedPart(ModelPart):
    """A network of a library."""

    weights: str = NO_WEIGHTS
    """Where training starts: "none" for random weights, a name of published ones, or a file that ends in .safetensors,
    .pt or .pth and holds a state dict in the library's names. A classifier of another size in it is left out."""
    head: Head | None = None
    """A new head on the last feature maps; by default the network's own classifier, its last layer sized for the
    data."""

    @property
    def pretrained(self) -> bool:
        """Whether weights come from elsewhere."""
        return self.weights != NO_WEIGHTS

    @property
    def weights_file(self) -> Path | None:
        """The file of the weights, where they come from one."""
        return Path(self.weights).expanduser().absolute() if self.weights.endswith(_FILE_SUFFIXES) else None

    def located(self) -> Self:
        """The same part with the path of a weights file made absolute."""
        return self if self.weights_file is None else self.model_copy(update={"weights": str(self.weights_file)})

    @property
    def input_size(self) -> int | None:
        """Height and width of the images of the published weights; for a file, of the network's default ones."""
        return self._preparation().input_size if self.pretrained else None

    def normalization(self, num_channels: int = _RGB) -> Normalization | None:
        """Mean and standard deviation that the published weights expect; for a file, the network's default ones."""
        if not self.pretrained:
            return None
        prepared = self._preparation()
        return _for_channels(prepared.mean, num_channels), _for_channels(prepared.std, num_channels)

    def _preparation(self) -> Preparation:
        raise NotImplementedError

    def _check_file(self) -> None:
        if self.weights_file is not None and not self.weights_file.is_file():
            raise ValueError(f"weights {self.weights_file}: no such file")

    def _file_tensors(self) -> dict[str, Tensor] | None:
        from tunefast.nn.weights import read_tensors

        self._check_file()
        return None if self.weights_file is None else read_tensors(self.weights_file)

    def _head_options(self) -> HeadOptions | None:
        return None if self.head is None else self.head.options()


class Torchvision(PretrainedPart):
    """A classification network of torchvision, with its published ImageNet weights or without.

    Pretrained weights buy good accuracy from a few hundred images and a few epochs (Kornblith et al. 2019, arXiv
    1805.08974); the price is a large network at the image size that it was made for. From random weights these networks
    need long trainings and many images; small images lose most of their pixels in the stem. Dropout and stochastic
    depth are those that the network was published with, drawn by key.
    """

    name: Literal["torchvision"] = "torchvision"
    arch: str = "resnet18"
    """The network as torchvision names it: resnet50, vgg16, mobilenet_v3_small, efficientnet_b0, vit_b_16 ..."""
    weights: str = NO_WEIGHTS
    """Where training starts: "none" for random weights, a name that torchvision gives published ones ("DEFAULT",
    "IMAGENET1K_V1"), fetched where they are not in torch's cache, or a file that ends in .safetensors, .pt or .pth and
    holds a state dict in torchvision's names. A classifier of another size in it is left out. The first convolution is
    summed over the colours for grey images; positions of vision transformers are interpolated to the image size."""

    def check(self, input_shape: Sequence[int]) -> None:
        """Raise `ValueError` for an unknown network or weights, a missing file, or images that it cannot take."""
        from tunefast.nn.pretrained import feature_shape
        from tunefast.nn.zoo import architectures, weight_names

        check_images(self.name, input_shape)
        if self.arch not in architectures():
            raise ValueError(f"torchvision has no network {self.arch!r}.{nearest(self.arch, architectures())}")
        known = weight_names(self.arch)
        if self.pretrained and self.weights_file is None and self.weights not in known:
            files = f"or a file that ends in {', '.join(_FILE_SUFFIXES)}"
            raise ValueError(
                f"{self.arch} has no weights {self.weights!r}: choose from {', '.join([NO_WEIGHTS, *known])}, {files}"
            )
        self._check_file()
        feature_shape(self.arch, tuple(input_shape))

    def build(self, input_shape: Sequence[int], num_outputs: int) -> Network:
        """The network for images (channels, height, width); its weights fetched or read where told to.

        Raises `ValueError` where weights cannot be fetched or read, or are those of another network.
        """
        from tunefast.nn.pretrained import torchvision_network
        from tunefast.nn.zoo import download

        self.check(input_shape)
        tensors = self._file_tensors()
        if tensors is None and self.pretrained:
            tensors = download(self.arch, self.weights)
        return torchvision_network(
            self.arch, input_shape, num_outputs, tensors=tensors, source=self.weights, head=self._head_options()
        )

    def _preparation(self) -> Preparation:
        from tunefast.nn.zoo import preparation

        return preparation(self.arch, "DEFAULT" if self.weights_file is not None else self.weights)


class Timm(PretrainedPart):
    """A network of the library timm, which has to be installed: over a thousand, with weights of many data sets.

    Buys newer networks and better weights than torchvision's at the same cost; the price is one more library. The
    network's own pooling is followed by one new layer, unless `head` says otherwise. Dropout and stochastic depth are
    off, as timm makes its models by default. From Wightman 2019 (PyTorch Image Models).
    """

    name: Literal["timm"] = "timm"
    arch: str = "resnet18"
    """The network as timm names it, with or without the tag of its weights: resnet18, convnext_atto.d2_in1k ..."""
    weights: str = NO_WEIGHTS
    """Where training starts: "none" for random weights, "pretrained" for those that timm publishes, fetched where they
    are not in its cache, or a file that ends in .safetensors, .pt or .pth and holds a state dict in timm's names. A
    classifier in it is left out. The first convolution is summed over the colours for grey images."""

    def check(self, input_shape: Sequence[int]) -> None:
        """Raise `ValueError` without timm, for an unknown network or weights, or images that it cannot take."""
        check_images(self.name, input_shape)
        if importlib.util.find_spec("timm") is None:
            raise ValueError("the model 'timm' needs the library timm: pip install timm")
        import timm

        from tunefast.nn.timm_models import num_timm_features

        if not timm.is_model(self.arch):
            close = difflib.get_close_matches(self.arch, timm.list_models(), n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"timm has no network {self.arch!r}.{hint}")
        if self.pretrained and self.weights_file is None and self.weights != "pretrained":
            files = f"or a file that ends in {', '.join(_FILE_SUFFIXES)}"
            raise ValueError(f"{self.arch} has no weights {self.weights!r}: choose from none, pretrained, {files}")
        self._check_file()
        num_timm_features(self.arch, tuple(input_shape), None if self.head is None else self.head.pool)

    def build(self, input_shape: Sequence[int], num_outputs: int) -> Network:
        """The network for images (channels, height, width); features are flat.

        Raises `ValueError` where weights cannot be fetched or read, or are those of another network.
        """
        self.check(input_shape)
        from tunefast.nn.timm_models import timm_network

        return timm_network(
            self.arch,
            input_shape,
            num_outputs,
            tensors=self._file_tensors(),
            source=self.weights,
            download=self.weights == "pretrained",
            head=self._head_options(),
        )

    def _preparation(self) -> Preparation:
        from tunefast.nn.timm_models import timm_preparation

        return timm_preparation(self.arch)


def _for_channels(values: tuple[float, ...], num_channels: int) -> tuple[float, ...]:
    """The values for RGB, or their mean for each of another number of channels."""
    return values if num_channels == len(values) else (sum(values) / len(values),) * num_channels
