"""Pairing: what one value of a setting does to an outcome, from trials that differ in other settings too.

Every trial with the value is compared with every one without it that is near in all other settings. The weight of
such a pair falls with the distance in numbers and with each choice that differs, by the kernels for mixed data of
Racine and Li, "Nonparametric estimation of regression functions with both categorical and continuous data", Journal
of Econometrics 2004, at the rates that they derive. A quadratic term takes away what is left of the distance, as in
the pairwise differences of Honoré and Powell, "Pairwise difference estimators for nonlinear models", 2005. The
interval is that of Arvesen's jackknife for two samples, "Jackknifing U-statistics", Annals of Mathematical Statistics
1969, with Welch's degrees of freedom: a trial that is in many pairs counts once. Without other settings it is Welch's
t interval.

It holds where trials were chosen by the settings and results of earlier ones, as samplers do, and no third thing
decides over both the value and the outcome.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tunefast.search.intervals import half_width

LEAST_EACH = 5
"""Trials that either side has to have, counted by the weight of their pairs."""
WIDTHS = (1.0, 2.0, 4.0)
"""Of the kernels, as multiples of the rate's: wider where too few trials are near each other."""
CALIPER = 2.0
"""Bandwidths by which no number of a pair may differ more."""
FARTHEST = 0.5
"""Of its range, by which no number of a pair may differ more."""
LEAST_AGREEING = 0.25
"""Of the pairs' weight, for each choice: where fewer agree in it, it cannot be told from what is compared."""
RIDGE = 1e-6
"""Of the pairs' weight: keeps the quadratic term finite where settings go together."""

Floats = NDArray[np.float64]


class Effect(NamedTuple):
    """By how much an outcome is greater with a value than without."""

    mean: float
    low: float
    high: float
    """The ends of the interval."""

    @property
    def is_certain(self) -> bool:
        """Whether the interval says which way it goes."""
        return self.low > 0 or self.high < 0


class Others(NamedTuple):
    """The settings beside the one that is compared: a row a trial."""

    numbers: Floats
    """From 0 to 1; NaN where a trial has none."""
    choices: NDArray[np.int64]
    """Their places; what a trial has not is a place of its own."""


def effect(gaps: Floats, with_it: Others, without: Others) -> Effect | None:
    """The effect on an outcome of which `gaps` are the differences: a row a trial with the value, a column one without.

    A gap is NaN where two trials cannot be compared. None where too few trials have near ones on the other side.
    """
    if min(gaps.shape) < LEAST_EACH:
        return None
    for width in WIDTHS:
        weights = np.where(np.isfinite(gaps), _closeness(with_it, without, width), 0.0)
        sizes = [_effective(weights.sum(axis=axis)) for axis in (1, 0)]
        if min(sizes) >= LEAST_EACH and _agree(weights, with_it, without):
            return _interval(np.nan_to_num(gaps), weights, _terms(with_it, without), sizes)
    return None


def _closeness(with_it: Others, without: Others, width: float) -> Floats:
    """The weight of each pair, before it is known whether its outcomes can be compared."""
    count = len(with_it.numbers) + len(without.numbers)
    num_settings = with_it.numbers.shape[1] + with_it.choices.shape[1]
    mismatch = min(1.0, width * count ** (-2 / (4 + num_settings)))
    weights: Floats = np.ones((len(with_it.numbers), len(without.numbers)))
    for mine, theirs in zip(with_it.numbers.T, without.numbers.T, strict=True):
        spread = float(np.nanstd(np.concatenate([mine, theirs])))
        bandwidth = width * 1.06 * max(spread, 1e-9) * count ** (-1 / (4 + num_settings))
        distance = np.abs(np.subtract.outer(mine, theirs))
        steps = distance / bandwidth
        near = np.where((steps <= CALIPER) & (distance <= FARTHEST), np.exp(-(steps**2) / 2), 0.0)
        both_lack_it = np.logical_and.outer(np.isnan(mine), np.isnan(theirs))
        weights *= np.where(np.isnan(steps), np.where(both_lack_it, 1.0, mismatch), near)
    for mine, theirs in zip(with_it.choices.T, without.choices.T, strict=True):
        weights *= np.where(np.equal.outer(mine, theirs), 1.0, mismatch)
    return weights


def _effective(weights: Floats) -> float:
    """How many trials of equal weight would tell as much."""
    squares = float(np.sum(weights**2))
    return float(np.sum(weights)) ** 2 / squares if squares else 0.0


def _agree(weights: Floats, with_it: Others, without: Others) -> bool:
    """Whether pairs agree often enough in each choice."""
    total = float(np.sum(weights))
    return all(
        float(np.sum(weights * np.equal.outer(mine, theirs))) >= LEAST_AGREEING * total
        for mine, theirs in zip(with_it.choices.T, without.choices.T, strict=True)
    )


def _terms(with_it: Others, without: Others) -> Floats:
    """What the trials of each pair differ by: 1, then each number, its square, and each choice."""
    terms: list[Floats] = [np.ones((len(with_it.numbers), len(without.numbers)))]
    for mine, theirs in zip(with_it.numbers.T, without.numbers.T, strict=True):
        linear = np.subtract.outer(mine, theirs)
        terms += [np.nan_to_num(linear), np.nan_to_num(np.subtract.outer(mine**2, theirs**2))]
    for mine, theirs in zip(with_it.choices.T, without.choices.T, strict=True):
        known = np.unique(np.concatenate([mine, theirs]))
        terms += [np.subtract.outer((mine == each) * 1.0, (theirs == each) * 1.0) for each in known[1:]]
    return np.stack(terms, axis=-1)


def _interval(gaps: Floats, weights: Floats, terms: Floats, sizes: Sequence[float]) -> Effect | None:
    """The gap of two trials that differ in nothing else, and between which values it lies."""
    weighted = weights[..., None] * terms
    sides = [(weighted, terms, gaps), (weighted.swapaxes(0, 1), terms.swapaxes(0, 1), gaps.T)]
    squares = [each.transpose(0, 2, 1) @ plain for each, plain, _ in sides]
    products = [(each.transpose(0, 2, 1) @ gap[..., None])[..., 0] for each, _, gap in sides]
    penalty = RIDGE * float(np.sum(weights)) * np.diag([0.0, *[1.0] * (terms.shape[-1] - 1)])
    square, product = squares[0].sum(axis=0) + penalty, products[0].sum(axis=0)
    mean = float(_solve(square, product))
    variances = []
    for side, own, size in zip(squares, products, sizes, strict=True):
        without_one = _solve(square - side, product - own)
        variances.append((size - 1) / size * float(np.sum((without_one - without_one.mean()) ** 2)))
    total = sum(variances)
    if not math.isfinite(total):
        return None
    if total == 0:
        return Effect(mean, mean, mean)
    shares = [variance / total for variance in variances]
    freedom = 1 / sum(share**2 / (size - 1) for share, size in zip(shares, sizes, strict=True))
    half = half_width(math.sqrt(total), freedom)
    return Effect(mean, mean - half, mean + half)


def _solve(squares: Floats, products: Floats) -> Floats:
    """The first unknown of each system."""
    solved: Floats = np.linalg.pinv(squares, hermitian=True)[..., 0, :] * products
    first: Floats = solved.sum(axis=-1)
    return first
