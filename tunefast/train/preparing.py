"""From stored samples to what the model sees: augmented, scaled, mixed."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from tunefast.nn.images import normalize, resize
from tunefast.nn.trees import Tree
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.recipe.seed import derive_seed
from tunefast.train.datasets import Batch, Dataset, Moments

_BYTE = 255.0


class Preparation:
    """Turns batches as stored into inputs and targets, on the device, a whole batch at a time.

    Random draws follow from the key (trial's seed, epoch, step, position of the batch in its step).
    """

    def __init__(self, recipe: TrainingRecipe, dataset: Dataset, seed: int, device: torch.device) -> None:
        self._augment = recipe.augment
        self._loss = recipe.loss
        self.target_kind = dataset.targets
        self._image_size = recipe.preprocess.image_size
        self.is_images, self._scaled = dataset.is_images, dataset.scaled
        scale, shift = scaling(recipe, dataset)
        self._scale, self._shift = scale.to(device), shift.to(device)
        self.class_weights = self._loss.class_weights(dataset.targets, device)
        self._seed = seed
        self._mean_colour: Tensor | None = None
        if self.is_images:
            self._mean_colour = dataset.moments.mean.round().clamp(0, _BYTE).to(torch.uint8).flatten().to(device)
        self._channels_last = recipe.hardware.channels_last
        self._generator = torch.Generator(device)
        self.prepared = False

    def training(self, batch: Batch, epoch: int, step: int, position: int) -> tuple[Tree, Tree]:
        """Inputs [n, ...] float32 and targets that a loss takes, augmented and mixed as the recipe says."""
        self._generator.manual_seed(derive_seed(self._seed, epoch, step, position, "augment"))
        raw, targets = batch.inputs, batch.targets
        if self.is_images:
            raw = self._augment.apply(raw, batch.rows, self._generator, epoch, self._seed, self._mean_colour)
        inputs = self.inputs(raw)
        if self._augment.own is not None:
            inputs, targets = self._augment.own.apply(inputs, targets, self._generator)
        encoded = self._loss.encode(targets, self.target_kind)
        return self._augment.mix(inputs, encoded, self._generator)

    def inputs(self, raw: Tree) -> Tree:
        """Stored samples as float32 [n, C, H, W], in the memory layout that the recipe asks for, or [n, ...].

        What is not scaled stays as it is.
        """
        if self.prepared or not self._scaled:
            return raw
        if not self.is_images:
            return raw * self._scale + self._shift
        if self._image_size is not None and raw.shape[1:3] != (self._image_size, self._image_size):
            raw = resize(raw, self._image_size)
        scaled = normalize(raw, self._scale, self._shift)
        return scaled if self._channels_last else scaled.clone(memory_format=torch.contiguous_format)

    def prepared_shape(self, stored: Sequence[int]) -> tuple[int, ...]:
        """Shape of a sample as `inputs` leaves it, axes in stored order, from that of a stored one."""
        if not self.is_images or self._image_size is None:
            return tuple(stored)
        return (self._image_size, self._image_size, stored[-1])

    def of_features(self) -> Preparation:
        """The same for a backbone's features, which are what a head sees as they are."""
        twin = copy.copy(self)
        twin.is_images, twin.prepared = False, True
        return twin

    @property
    def scale_and_shift(self) -> tuple[Tensor, Tensor]:
        """What stored values are multiplied with, and what is added then."""
        return self._scale, self._shift

    def key(self) -> bytes:
        """Changes with everything that `inputs` does to a sample."""
        scale, shift = self._scale.cpu().numpy(), self._shift.cpu().numpy()
        return repr((self._image_size, scale.tolist(), shift.tolist())).encode()


def scaling(recipe: TrainingRecipe, dataset: Dataset) -> tuple[Tensor, Tensor]:
    """Scale and shift such that scale x stored value + shift is what the recipe's preprocessing asks for."""
    preprocess = recipe.preprocess
    kind = preprocess.normalize
    if kind == "auto":
        kind = "weights" if recipe.model.pretrained else "data"
    moments = dataset.moments
    if kind == "weights":
        pretrained = recipe.model.normalization(moments.mean.numel())
        if pretrained is None:
            raise ValueError('preprocess.normalize = "weights": the model has no pretrained weights')
        return _standard(*_fixed(*pretrained, moments, dataset))
    if kind == "fixed":
        preprocess.check(dataset.sample_shape)
        return _standard(*_fixed(preprocess.mean or (), preprocess.std or (), moments, dataset))
    if kind == "range":
        span = (moments.high - moments.low).clamp_min(1e-12)
        scale = (preprocess.high - preprocess.low) / span
        return scale, preprocess.low - moments.low * scale
    if kind == "none":
        return torch.ones_like(moments.mean), torch.zeros_like(moments.mean)
    return _standard(moments.mean, moments.std)


def _standard(mean: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
    return 1 / std, -mean / std


def _fixed(
    mean: tuple[float, ...], std: tuple[float, ...], moments: Moments, dataset: Dataset
) -> tuple[Tensor, Tensor]:
    """Given means and deviations, a value a channel or one for all, in stored units."""
    unit = _BYTE if dataset.is_images else 1.0

    def column(values: tuple[float, ...]) -> Tensor:
        row = torch.tensor(values) * unit
        return row.expand(moments.mean.numel()).reshape(moments.mean.shape).to(moments.mean)

    return column(mean), column(std)
