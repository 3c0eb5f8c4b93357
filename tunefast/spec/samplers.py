"""Samplers: which recipe to try next."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tunefast.recipe.part import Part


class GridSampler(Part):
    """Every combination of the space exactly once, in a seeded random order.

    Buys completeness over a few settings; the number of cells is the product of the domains' sizes.
    """

    name: Literal["grid"] = "grid"


class RandomSampler(Part):
    """Independent draws from every domain. Needs no results, so it is never wrong-footed; learns nothing either."""

    name: Literal["random"] = "random"


class TpeSampler(Part):
    """Tree-structured Parzen estimator: draws where good trials were dense and bad ones were not.

    Buys better recipes per trial from about ten trials on. Source: Bergstra et al., "Algorithms for hyper-parameter
    optimization", NIPS 2011; settings are sampled jointly.
    """

    name: Literal["tpe"] = "tpe"
    startup_trials: int = Field(10, ge=0)
    """Random trials before the model is used."""


Sampler = Annotated[GridSampler | RandomSampler | TpeSampler, Field(discriminator="name")]
