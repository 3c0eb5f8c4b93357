"""What a confirmation says: means, intervals, who wins, and how sure that is."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunefast.recipe.stopping import metric_range
from tunefast.search.confirmed import Confirmation, Repeated
from tunefast.search.intervals import Interval, mean_interval

VALUES = st.floats(-100, 100).map(lambda value: round(value, 6))


def _repeated(trial: int, searched: float, *values: float, **others: int) -> Repeated:
    return Repeated(trial, searched, dict(enumerate(values)), others)


def test_students_interval() -> None:
    """As in a table of Student's distribution: 2.776 standard errors with 4 degrees of freedom."""
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    half = 2.7764451 * math.sqrt(2.5 / 5)
    assert mean_interval(values) == pytest.approx(Interval(3 - half, 3 + half))
    assert mean_interval([1.0]) is None
    assert mean_interval([]) is None
    assert mean_interval([1.0, math.inf]) is None


def test_an_interval_holds_the_mean_as_often_as_it_says() -> None:
    """Of 2,000 samples of three, 95 % have an interval around the true mean, give or take 2 points."""
    rng = random.Random(0)
    found = [mean_interval([rng.gauss(1, 2) for _ in range(3)]) for _ in range(2000)]
    share = statistics.fmean(interval is not None and interval.low <= 1 <= interval.high for interval in found)
    assert 0.93 < share < 0.97


@given(st.lists(VALUES, min_size=2, max_size=8))
def test_an_interval_is_around_its_mean(values: list[float]) -> None:
    """The mean is its middle; equal values leave it no width."""
    interval = mean_interval(values)
    assert interval is not None
    assert (interval.low + interval.high) / 2 == pytest.approx(statistics.fmean(values), abs=1e-6)
    assert (interval.low == interval.high) == (len(set(values)) == 1)


def _confirmation(*trials: Repeated, maximize: bool = True) -> Confirmation:
    return Confirmation(maximize, sorted(trials, key=lambda each: (each.mean or 0.0) * (-1 if maximize else 1)))


def test_the_winner_has_the_best_mean() -> None:
    """Not the best value in the search, and in the study's direction."""
    trials = (_repeated(3, 0.9, 0.5, 0.6), _repeated(7, 0.8, 0.7, 0.7))
    for maximize, winner in ((True, 7), (False, 3)):
        found = _confirmation(*trials, maximize=maximize)
        assert found.winner is not None
        assert found.winner.trial == winner
        assert found.searched_order == ([3, 7] if maximize else [7, 3])


def test_one_that_fails_on_a_seed_is_no_winner() -> None:
    """Its mean is over the seeds on which it did well; and nobody wins before all runs have ended."""
    lucky, steady = _repeated(1, 0.9, 0.99, failed=1), _repeated(2, 0.8, 0.7, 0.7)
    found = _confirmation(lucky, steady)
    assert (found.winner, found.lead) == (steady, None)
    assert found.order == [1, 2]
    waiting = _confirmation(steady, _repeated(3, 0.7, 0.1, waiting=1))
    assert waiting.winner is None
    assert waiting.is_unfinished
    assert _confirmation(lucky).winner is None


def test_a_lead_is_over_equal_seeds() -> None:
    """What seeds have in common cancels out: a small difference on every seed is more than chance."""
    one, other = _repeated(1, 0.9, 0.31, 0.5, 0.97), _repeated(2, 0.95, 0.30, 0.50, 0.91, 0.1)
    lead = _confirmation(one, other).lead
    assert lead is not None
    assert lead.interval is not None
    assert (lead.over, lead.num_seeds, lead.is_certain) == (2, 3, False)
    assert lead.mean == pytest.approx(0.07 / 3)
    steady = _confirmation(_repeated(1, 0.9, 0.31, 0.52, 0.93), other).lead
    assert steady is not None
    assert steady.mean < lead.mean
    assert steady.is_certain
    single = _confirmation(_repeated(1, 0.9, 0.4), other).lead
    assert single is not None
    assert (single.interval, single.is_certain) == (None, False)


@given(st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1, max_size=5), st.booleans())
def test_directions_mirror_each_other(rows: list[tuple[float, float, float]], maximize: bool) -> None:
    """With every value negated and the other direction, all is the same."""
    trials = [_repeated(number, *row) for number, row in enumerate(rows)]
    mirrored = [_repeated(number, *(-value for value in row)) for number, row in enumerate(rows)]
    one, other = _confirmation(*trials, maximize=maximize), _confirmation(*mirrored, maximize=not maximize)
    assert one.order == other.order
    assert one.searched_order == other.searched_order
    assert one.optimism == pytest.approx(other.optimism)
    assert (one.lead is None) == (other.lead is None) == (len(rows) == 1)
    if one.lead is not None and other.lead is not None:
        assert one.lead.mean == pytest.approx(other.lead.mean)
        assert one.lead.mean >= 0


def test_the_search_is_optimistic() -> None:
    """Values of a search are better than means on new seeds, in either direction; that is told as above 0."""
    assert _confirmation(_repeated(1, 0.9, 0.8), _repeated(2, 0.8, 0.7)).optimism == pytest.approx(0.1)
    assert _confirmation(_repeated(1, 0.1, 0.3), maximize=False).optimism == pytest.approx(0.2)
    assert _confirmation(_repeated(1, 0.1, failed=2)).optimism is None


def test_a_training_without_a_seed() -> None:
    """Every trial has one value on all of its seeds: told only where some trial had several."""
    assert _confirmation(_repeated(1, 0.9, 0.8, 0.8), _repeated(2, 0.8, 0.7)).ignores_seeds
    assert not _confirmation(_repeated(1, 0.9, 0.8, 0.8), _repeated(2, 0.8, 0.7, 0.6)).ignores_seeds
    assert not _confirmation(_repeated(1, 0.9, 0.8)).ignores_seeds


@pytest.mark.parametrize(
    ("searched", "means", "held", "tied"),
    [
        ((0.9, 0.8, 0.7), (0.6, 0.5, 0.4), True, [[0], [1], [2]]),
        ((0.9, 0.8, 0.7), (0.5, 0.5, 0.4), None, [[0, 1], [2]]),
        ((0.9, 0.8, 0.7), (0.4, 0.4, 0.5), False, [[2], [0, 1]]),
        ((0.9, 0.9, 0.7), (0.6, 0.5, 0.4), None, [[0], [1], [2]]),
        ((0.9, 0.8, 0.7), (0.1 + 0.2, 0.3, 0.2), None, [[0, 1], [2]]),
    ],
)
def test_the_order_held_only_without_ties(
    searched: tuple[float, ...], means: tuple[float, ...], held: bool | None, tied: list[list[int]]
) -> None:
    """Equal means, or equal values in the search, are no order that could hold; one that was reversed did not."""
    found = _confirmation(*(_repeated(n, *pair) for n, pair in enumerate(zip(searched, means, strict=True))))
    assert (found.order_held, found.tied) == (held, tied)


def test_intervals_stay_within_what_a_metric_can_be() -> None:
    """An accuracy is no more than 1; one that is told in percent is not cut."""
    limits = metric_range("val_accuracy")
    share = Repeated(0, 0.9, {1: 0.9, 2: 1.0}, {}, limits).interval
    assert share is not None
    assert share.low == pytest.approx(0.95 - 0.6353, abs=1e-3)
    assert share.high == 1.0
    percent = Repeated(0, 90.0, {1: 90.0, 2: 99.0}, {}, limits).interval
    assert percent == mean_interval([90.0, 99.0])
    assert [metric_range(metric) for metric in ("val_loss", "r2", "score")] == [None] * 3
