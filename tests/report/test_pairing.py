"""Pairing: effects of which the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import ttest_ind

from tunefast.report.pairing import Effect, Others, effect

Floats = NDArray[np.float64]


class Made:
    """Trials of a value that a greedy sampler likes at good rates: without pairing it looks better than it is."""

    def __init__(self, seed: int, true_effect: float, num_trials: int = 60) -> None:
        rng = np.random.default_rng(seed)
        self.has_it = rng.random(num_trials) < 0.5
        spread = np.where(self.has_it, 0.15, 0.35)
        self.rate = np.clip(0.6 + spread * rng.standard_normal(num_trials), 0, 1)
        self.size = rng.integers(0, 3, num_trials)
        noise = 0.005 * rng.standard_normal(num_trials)
        lost = 0.6 * np.abs(self.rate - 0.55 - 0.05 * self.size) ** 1.5 + 0.02 * self.size
        self.value = 0.95 - lost + true_effect * self.has_it + noise

    def others(self, kept: NDArray[np.bool_]) -> Others:
        """The rate, and the size as a choice."""
        return Others(self.rate[kept, None], self.size[kept, None].astype(np.int64))

    @property
    def gaps(self) -> Floats:
        """Of the values."""
        found: Floats = np.subtract.outer(self.value[self.has_it], self.value[~self.has_it])
        return found

    @property
    def found(self) -> Effect:
        """What pairing says."""
        answer = effect(self.gaps, self.others(self.has_it), self.others(~self.has_it))
        assert answer is not None
        return answer


@pytest.mark.parametrize("true_effect", [0.0, 0.03])
def test_intervals_hold_the_truth(true_effect: float) -> None:
    """In 19 of 20 studies, whether there is an effect or none; plain means are off by several intervals."""
    studies = [Made(seed, true_effect) for seed in range(40)]
    found = [each.found for each in studies]
    assert sum(each.low <= true_effect <= each.high for each in found) >= 37
    assert abs(float(np.mean([each.mean for each in found])) - true_effect) < 0.002
    assert float(np.median([each.high - each.low for each in found])) < 0.02
    assert float(np.mean([each.gaps.mean() for each in studies])) - true_effect > 0.03


def test_without_other_settings_it_is_welchs_interval() -> None:
    """As scipy computes it."""
    rng = np.random.default_rng(1)
    mine, theirs = rng.normal(1.0, 1.0, 12), rng.normal(0.0, 3.0, 20)
    none = [Others(np.empty((len(side), 0)), np.empty((len(side), 0), dtype=np.int64)) for side in (mine, theirs)]
    found = effect(np.subtract.outer(mine, theirs), *none)
    welch = ttest_ind(mine, theirs, equal_var=False).confidence_interval(0.95)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((welch.low, welch.high))


@pytest.mark.parametrize("scale", [1e100, 1e-100])
def test_the_scale_of_values_does_not_matter(scale: float) -> None:
    """A penalty of 1e100 as an objective may return it, or a tiny loss: the same intervals, in other units."""
    made = Made(0, 0.03)
    others = made.others(made.has_it), made.others(~made.has_it)
    plain, scaled = effect(made.gaps, *others), effect(made.gaps * scale, *others)
    assert plain is not None
    assert scaled is not None
    assert np.allclose(np.array(scaled) / scale, np.array(plain))


def test_what_goes_together_cannot_be_told_apart() -> None:
    """Where a value was tried with one choice of another setting alone, or far from all others, there is no answer."""
    rng = np.random.default_rng(2)
    gaps = np.subtract.outer(rng.random(20), rng.random(20))
    empty, zeros, ones = np.empty((20, 0)), np.zeros((20, 1), dtype=np.int64), np.ones((20, 1), dtype=np.int64)
    assert effect(gaps, Others(empty, zeros), Others(empty, ones)) is None
    low, high = 0.01 * rng.random((20, 1)), 1 - 0.01 * rng.random((20, 1))
    no_choice = np.empty((20, 0), dtype=np.int64)
    assert effect(gaps, Others(low, no_choice), Others(high, no_choice)) is None


def test_few_trials_tell_nothing() -> None:
    """Four on a side are not enough, nor are many of which few can be compared."""
    plain = [Others(np.empty((n, 0)), np.empty((n, 0), dtype=np.int64)) for n in (4, 30)]
    assert effect(np.zeros((4, 30)), *plain) is None
    holes = np.full((30, 30), np.nan)
    holes[:3] = 0.0
    assert effect(holes, plain[1], plain[1]) is None


def test_a_number_that_only_some_have() -> None:
    """Trials that lack it are near each other, and not near those that have it."""
    rng = np.random.default_rng(3)
    lacking = np.where(np.arange(40) % 2 == 0, np.nan, 0.5)[:, None]
    value = rng.standard_normal(40) * 0.01 + np.isnan(lacking[:, 0])
    own = Others(lacking, np.empty((40, 0), dtype=np.int64))
    found = effect(np.subtract.outer(value + 0.2, value), own, own)
    assert found is not None
    assert found.low < 0.2 < found.high
