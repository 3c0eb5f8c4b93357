"""Preprocessing: what is done to every sample alike, in training and evaluation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tunefast.recipe.data import IMAGE_AXES
from tunefast.recipe.part import Part

Numbers = Annotated[tuple[float, ...], Field(strict=False, min_length=1)]


class Preprocess(Part):
    """Scaling of values and of image sizes, applied to whole batches on the training device.

    Costs a multiply-add a value, and interpolation where images are scaled; buys inputs of mean 0 and deviation 1, on
    which the usual initialisations and rates were made to work; hurts when pretrained weights saw another scale.
    Source: LeCun et al., "Efficient backprop", 1998.
    """

    normalize: Literal["auto", "data", "weights", "range", "fixed", "none"] = "auto"
    """data: mean 0, deviation 1 by the training part's own statistics. weights: as the pretrained weights want it.
    range: the training part's smallest and largest value become `low` and `high`. fixed: by `mean` and `std`. none: as
    stored. auto: weights where the model has pretrained ones, else data."""
    mean: Numbers | None = None
    """For fixed: the mean of each channel or feature; images count from 0 to 1."""
    std: Numbers | None = None
    """For fixed: the deviation of each channel or feature; images count from 0 to 1."""
    low: float = 0.0
    """For range: what the smallest value becomes."""
    high: float = 1.0
    """For range: what the largest value becomes."""
    image_size: int | None = Field(None, ge=1)
    """Height and width that images are scaled to on the device; as they are stored, where it is left out. Half the size
    costs a quarter to train on."""

    @model_validator(mode="after")
    def _complete(self) -> Preprocess:
        fixed = self.normalize == "fixed"
        if fixed and (self.mean is None or self.std is None):
            raise ValueError('normalize = "fixed" needs mean and std')
        if not fixed and (self.mean is not None or self.std is not None):
            raise ValueError(f'mean and std go with normalize = "fixed", and it is {self.normalize!r}')
        if self.mean is not None and self.std is not None and len(self.mean) != len(self.std):
            raise ValueError(f"mean has {len(self.mean)} values, std has {len(self.std)}")
        if self.std is not None and min(self.std) <= 0:
            raise ValueError(f"std = {list(self.std)}: must be greater than 0")
        if self.normalize != "range" and (self.low, self.high) != (0, 1):
            raise ValueError(f'low and high go with normalize = "range", and it is {self.normalize!r}')
        if self.low >= self.high:
            raise ValueError(f"low = {self.low:g} must be less than high = {self.high:g}")
        return self

    def check(self, sample_shape: Sequence[int]) -> None:
        """Raise `ValueError` where samples of that shape have another number of channels or features than `mean`."""
        values = sample_shape[0] if len(sample_shape) == IMAGE_AXES else math.prod(sample_shape)
        if self.mean is not None and len(self.mean) not in {1, values}:
            raise ValueError(
                f"preprocess.mean and std have {len(self.mean)} values, and samples have {values} channels or features"
            )
