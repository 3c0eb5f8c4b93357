"""Comparing in rounds: how many there are, and what they say."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from tunefast.search.intervals import mean_interval

ROUNDS = 5
LEAST_ROUNDS = 3
"""Fewer tell no interval that is worth something."""


def mean_ratio(logs: Sequence[float]) -> tuple[float, float, float]:
    """The geometric mean of ratios, told by their logarithms, between the ends of its 95 % interval.

    Raises `ValueError` for fewer than two, or infinite ones.
    """
    interval = mean_interval(logs)
    if interval is None:
        raise ValueError(f"ratios without an interval: {list(logs)}")
    return math.exp(interval.low), math.exp(statistics.fmean(logs)), math.exp(interval.high)
