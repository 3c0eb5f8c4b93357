"""Augmentation: random changes of training samples that leave their meaning as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tunefast.recipe.data import IMAGE_AXES
from tunefast.recipe.own import OwnPart, takes
from tunefast.recipe.part import Part

if TYPE_CHECKING:
    import torch


class OwnAugmentation(OwnPart):
    """An augmentation of your own at ``package.module:name``, called as ``augment(inputs, targets)``; returns both.

    It gets whole batches on the training device, after scaling: images as float32 [n, C, H, W], other inputs and the
    targets as the data has them. A class is made once with `options`, a function is called with them each time; with a
    parameter ``generator`` it gets a seeded torch generator of the device, and torch's own generators are seeded too.
    """

    path: str = OwnPart.at("my_augmentations:my_augmentation")
    """Dotted path of the function or class, ``my_package.my_module:my_augmentation``."""

    def apply(self, inputs: Any, targets: Any, generator: torch.Generator) -> tuple[Any, Any]:
        """Augmented inputs and targets. Raises `ValueError` where the user's code returns something else."""
        from tunefast.nn.trees import first_leaf

        function = self.function()
        seeded = {"generator": generator} if takes(function, "generator") else {}
        result = function(inputs, targets, **seeded)
        if not isinstance(result, tuple) or len(result) != 2:  # noqa: PLR2004 - inputs, targets
            raise ValueError(f"augmentation {self.path!r} returned {type(result).__name__}, not (inputs, targets)")
        before, after = len(first_leaf(inputs)), [len(first_leaf(tree)) for tree in result]
        if after != [before, before]:
            raise ValueError(f"augmentation {self.path!r} made {after[0]} inputs and {after[1]} targets of {before}")
        return result


class Augment(Part):
    """Random flips, crops and cutouts of training images, and mixtures of training samples; all off by default.

    Runs on whole batches on the training device. Costs about 2 us for crop and flip of an image of 32x32 pixels on one
    CPU core, a hundredth of a small network's step, and some more epochs; buys several points of accuracy where a model
    overfits; hurts models that underfit, short trainings, and data on which a change alters the class (mirrored digits
    and letters). Sources: Krizhevsky et al., "ImageNet classification with deep convolutional neural networks", 2012,
    for flip and crop; those of the others stand at the options.
    """

    flip: Literal["none", "random", "alternating"] = "none"
    """Mirror images left to right. random: each time with probability 1/2. alternating: every second epoch, beginning
    at random; needs about a tenth fewer epochs than random for the same accuracy (Jordan, 2024, arXiv 2404.00498)."""
    crop_padding: int = Field(0, ge=0)
    """Pixels by which an image may shift in each direction: it is padded by as many, and cut to its size at random.
    About an eighth of the side is usual: 4 of 32."""
    crop_fill: Literal["zero", "reflect"] = "zero"
    """What the padding shows: black, or the image mirrored at its border."""
    cutout: int = Field(0, ge=0)
    """Side in pixels of a square painted over at a random place; a quarter to a half of the image's side is usual.
    Buys robustness against occlusion; hurts where a small detail decides (DeVries and Taylor, 2017)."""
    mixup_alpha: float = Field(0.0, ge=0)
    """Mix batches of samples with one another, in shares drawn from Beta(alpha, alpha): 0.1 to 1, more mixes more; 0 is
    off. Takes tables too. Buys calibrated probabilities; training accuracy loses its meaning, and few epochs are too
    few (Zhang et al., 2018)."""
    cutmix_alpha: float = Field(0.0, ge=0)
    """Paste a box of another image of the batch in, of an area drawn from Beta(alpha, alpha), targets in proportion; 1
    is usual, 0 is off. With mixup_alpha > 0 as well, each batch takes one of the two, evenly (Yun et al., 2019)."""
    mix_probability: float = Field(1.0, gt=0, le=1)
    """Share of batches that mixup and cutmix act on."""
    own: OwnAugmentation | None = None
    """One of your own: ``{ path = "my_module:augment", options = { ... } }``; after the others, before any mixing."""

    @property
    def mixes(self) -> bool:
        """Whether samples are mixed with one another."""
        return self.mixup_alpha > 0 or self.cutmix_alpha > 0

    @property
    def random(self) -> bool:
        """Whether a sample may look different from one epoch to the next, so that what it gives cannot be kept."""
        return self.mixes or self.flip != "none" or self.crop_padding > 0 or self.cutout > 0 or self.own is not None

    @property
    def needs_images(self) -> bool:
        """Whether anything is on that other samples than images cannot be put through."""
        return bool(self._image_options())

    def _image_options(self) -> list[str]:
        """The options that are on and need images, as a spec has them."""
        options: dict[str, str | float] = {"flip": self.flip} if self.flip != "none" else {}
        numbers = {"crop_padding": self.crop_padding, "cutout": self.cutout, "cutmix_alpha": self.cutmix_alpha}
        options |= {name: value for name, value in numbers.items() if value > 0}
        return [f"augment.{name} = {value!r}" for name, value in options.items()]

    def check(self, sample_shape: Sequence[int]) -> None:
        """Raise `ValueError` where an option does not fit samples of `sample_shape` (`Decoded.sample_shape`)."""
        if len(sample_shape) != IMAGE_AXES:
            if self.needs_images:
                options, shape = ", ".join(self._image_options()), tuple(sample_shape)
                raise ValueError(f"{options}: needs images, channels x height x width; samples are {shape}")
            return
        _, height, width = sample_shape
        side = f"the shorter side of the images, which are {height}x{width}"
        if self.cutout > min(height, width):
            raise ValueError(f"augment.cutout = {self.cutout} must be at most {min(height, width)}, {side}")
        if self.crop_padding >= min(height, width):
            raise ValueError(
                f"augment.crop_padding = {self.crop_padding} must be less than {min(height, width)}, {side}"
            )

    def apply(
        self,
        images: torch.Tensor,
        rows: torch.Tensor,
        generator: torch.Generator,
        epoch: int,
        trial_seed: int,
        fill: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Flipped, cropped and cut out: uint8 [n, H, W, C] -> the same, on the same device; `images` stay as they are.

        `rows`, int64 [n], are the images' row numbers in the data set, and `trial_seed` is the same in all epochs of a
        trial: they and `epoch`, which counts from 1, decide alternating flips. `generator`, on the images' device,
        decides all else. `fill`, uint8 [C], is what cutout paints: the mean colour, as in its paper; without it, black.
        """
        from tunefast.nn import images as batch

        if self.flip == "random":
            images = batch.random_flip(images, generator)
        elif self.flip == "alternating":
            images = batch.alternating_flip(images, rows, epoch, trial_seed)
        if self.crop_padding > 0:
            images = batch.random_crop(images, self.crop_padding, generator, reflect=self.crop_fill == "reflect")
        if self.cutout > 0:
            images = batch.cutout(images, self.cutout, generator, fill)
        return images

    def mix(
        self, inputs: torch.Tensor, encoded: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Samples, float [n, C, H, W] or [n, F], and their targets [n, T] mixed with those one place before them.

        Batches are shuffled, so that place is a random one. `generator`, on the device of the samples, decides the
        shares, and which of mixup and cutmix a batch takes.
        """
        if not self.mixes:
            return inputs, encoded
        import torch

        from tunefast.nn.mixing import mix

        partner = torch.arange(len(inputs), device=inputs.device).roll(1)
        return mix(inputs, encoded, self._weight(inputs.shape, generator), partner)

    def _weight(self, shape: Sequence[int], generator: torch.Generator) -> torch.Tensor:
        """What a sample keeps of itself; tensors choose, since the host cannot see a coin without waiting for it."""
        import torch

        from tunefast.nn.mixing import cutmix_weight, mixup_weight

        coins = torch.rand(2, generator=generator, device=generator.device)
        if self.cutmix_alpha == 0:
            weight = mixup_weight(self.mixup_alpha, generator)
        else:
            height, width = shape[2:]
            weight = cutmix_weight(self.cutmix_alpha, height, width, generator)
            if self.mixup_alpha > 0:
                weight = torch.where(coins[0] < 1 / 2, mixup_weight(self.mixup_alpha, generator), weight)
        return weight if self.mix_probability == 1 else torch.where(coins[1] < self.mix_probability, weight, 1.0)
