"""What rounds say of two sides."""

from __future__ import annotations

import math

import pytest

from tunefast.doctor.rounds import mean_ratio
from tunefast.search.intervals import mean_interval


def test_the_mean_of_ratios_lies_in_their_interval() -> None:
    """Twice and half as fast is as fast; the ends are those of the logarithms' mean."""
    logs = [math.log(0.5), math.log(2.0), 0.0]
    low, middle, high = mean_ratio(logs)
    assert middle == pytest.approx(1.0)
    assert (math.log(low), math.log(high)) == pytest.approx(mean_interval(logs))


@pytest.mark.parametrize("logs", [[], [0.0], [0.0, math.inf]])
def test_no_ratio_without_an_interval(logs: list[float]) -> None:
    """Fewer than two rounds, or one that was not measured, tell nothing."""
    with pytest.raises(ValueError, match="without an interval"):
        mean_ratio(logs)
