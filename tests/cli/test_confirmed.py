"""Confirmations, as people read them."""

from __future__ import annotations

import pytest

from tunefast.cli.confirmed import _order_in_words
from tunefast.report.sentences import lead_in_words
from tunefast.search.confirmed import Confirmation, Lead, Repeated
from tunefast.search.intervals import Interval


@pytest.mark.parametrize(
    ("means", "said"),
    [
        ((0.6, 0.5, 0.4), "The order of the search held."),
        (
            (0.5, 0.5, 0.4),
            "Trials tie, so whether the order held is open: 0, 1, 2 in the search, 0 = 1, 2 on new seeds.",
        ),
        (
            (0.6, 0.3, 0.3),
            "Trials tie, so whether the order held is open: 0, 1, 2 in the search, 0, 1 = 2 on new seeds.",
        ),
        ((0.6, 0.7, 0.3), "The order did not hold: 0, 1, 2 in the search, 1, 0, 2 on new seeds."),
    ],
)
def test_ties_are_said(means: tuple[float, ...], said: str) -> None:
    """Nobody reads that an order held where there is none."""
    trials = [Repeated(number, 0.9 - number / 10, {1: mean}, {}) for number, mean in enumerate(means)]
    assert _order_in_words(Confirmation(True, sorted(trials, key=lambda each: -(each.mean or 0)))) == said


def test_a_winner_that_is_no_better_says_so() -> None:
    """It ties, and is first for its place in the search alone."""
    said = lead_in_words(Lead(7, 0.0, Interval(-0.1, 0.1), 3, is_tie=True))
    assert said == "It ties with trial 7 on the same 3 seeds; it stands first since it did in the search."
