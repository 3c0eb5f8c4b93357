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


class StartingSampler(Part):
    """Samplers that learn from few trials, so that it matters which comes first."""

    start: Literal["recipe", "random"] = "recipe"
    """The first trial of a study: the recipe as it is written, and the middle of the space where it says nothing of a
    searched setting; or a random one."""


class TpeSampler(StartingSampler):
    """Tree-structured Parzen estimator: draws where good trials were dense and bad ones were not.

    Buys better recipes per trial from about ten trials on. Source: Bergstra et al., "Algorithms for hyper-parameter
    optimization", NIPS 2011; settings are sampled jointly.
    """

    name: Literal["tpe"] = "tpe"
    startup_trials: int = Field(10, ge=0)
    """Random trials before the model is used."""


class GpSampler(StartingSampler):
    """Gaussian process with an acquisition function of expected improvement.

    Buys the most per trial where trials are few and costly, up to some hundreds; asking for a trial takes it up to
    seconds. Learns from complete trials alone. Source: Snoek et al., "Practical Bayesian optimization of machine
    learning algorithms", NIPS 2012.
    """

    name: Literal["gp"] = "gp"
    startup_trials: int = Field(10, ge=0)
    """Random trials before the model is used."""
    deterministic: bool = False
    """Whether a recipe gives the same value again, so that no noise has to be explained."""


class CmaEsSampler(Part):
    """Covariance matrix adaptation: a population that moves and stretches towards better recipes.

    Buys most with hundreds of trials over continuous settings that hang together; choices and settings with conditions
    are drawn at random. Its distribution is kept in memory, not in the database, from where Optuna would unpickle it:
    after a restart it begins anew. Source: Hansen, "The CMA evolution strategy: a tutorial", 2016.
    """

    name: Literal["cmaes"] = "cmaes"
    startup_trials: int = Field(1, ge=0)
    """Random trials before the model is used."""
    population: int | None = Field(None, ge=3)
    """Trials of a generation; by default 4 + 3 ln(settings)."""
    separable: bool = False
    """Learn a scale per setting, not how settings hang together: faster with many of them."""
    learn_from_pruned: bool = False
    """Take the last value of a pruned trial for its result."""


class QmcSampler(Part):
    """A quasi-random sequence: covers the space more evenly than random draws; learns nothing.

    Source: Bergstra and Bengio, "Random search for hyper-parameter optimization", JMLR 2012.
    """

    name: Literal["qmc"] = "qmc"
    sequence: Literal["sobol", "halton"] = "sobol"
    """Sobol is even over any power of two trials."""
    scramble: bool = True
    """Shift the sequence by the study's seed."""


class Nsga2Sampler(Part):
    """A genetic algorithm: the better recipes of a generation are crossed and mutated to make the next one.

    Made for several objectives; needs several generations, so hundreds of trials. Source: Deb et al., "A fast and
    elitist multiobjective genetic algorithm: NSGA-II", 2002.
    """

    name: Literal["nsga2"] = "nsga2"
    population: int = Field(50, ge=2)
    """Trials of a generation; the first one is drawn at random."""
    crossover: float = Field(0.9, ge=0, le=1)
    """Probability that a trial has two parents."""
    mutation: float | None = Field(None, ge=0, le=1)
    """Probability that a setting is drawn anew; by default one setting of a trial, on average."""
    swapping: float = Field(0.5, ge=0, le=1)
    """Probability that a setting is the other parent's."""


Sampler = Annotated[
    GridSampler | RandomSampler | TpeSampler | GpSampler | CmaEsSampler | QmcSampler | Nsga2Sampler,
    Field(discriminator="name"),
]
