"""Intervals of means, after Student."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

CERTAINTY = 0.95
"""How often an interval holds the true mean."""


class Interval(NamedTuple):
    """Where the true mean lies, with `CERTAINTY`."""

    low: float
    high: float

    def within(self, least: float, most: float) -> Interval:
        """The part of it between two limits."""
        return Interval(max(self.low, least), min(self.high, most))


def half_width(error: float, freedom: float) -> float:
    """From a mean to either end of its interval, by the mean's standard error and its degrees of freedom."""
    from scipy.special import stdtrit  # slow to import, and seldom needed

    return float(stdtrit(freedom, (1 + CERTAINTY) / 2)) * error


def mean_interval(values: Sequence[float]) -> Interval | None:
    """The interval of the mean of normally distributed `values`; None for fewer than two, or infinite ones."""
    if len(values) < 2 or not all(map(math.isfinite, values)):  # noqa: PLR2004
        return None
    half = half_width(statistics.stdev(values) / math.sqrt(len(values)), len(values) - 1)
    mean = statistics.fmean(values)
    return Interval(mean - half, mean + half)
