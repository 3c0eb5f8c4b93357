"""Comparing in rounds: how many there are, and what they say."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from tunefast.search.intervals import half_width

ROUNDS = 5
LEAST_ROUNDS = 3
"""Fewer tell no interval that is worth something."""


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """The mean of at least two values between the ends of its 95 % interval, by Student's t."""
    mean, spread = statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))
    half = half_width(spread, len(values) - 1)
    return mean - half, mean, mean + half
