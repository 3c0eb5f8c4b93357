"""What people are told of an edit."""

from __future__ import annotations

from tunefast.cli.editing import outside_in_words


def test_one_trial_is_told_as_one() -> None:
    """Words agree with the number of trials that lie outside of the new space."""
    assert outside_in_words(1) == "1 earlier trial lies outside of it now; it stays."
    assert outside_in_words(2) == "2 earlier trials lie outside of it now; they stay."
