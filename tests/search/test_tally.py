"""Figures over the trials that ended."""

from __future__ import annotations

from tunefast.search.tally import Ended, Tally


def test_a_trial_counts_once() -> None:
    """What is noted last of a trial is what counts."""
    tally = Tally(maximize=True)
    tally.note(0, Ended("complete", 0.9, 4, 10))
    tally.note(1, Ended("complete", 0.5, 10, 10))
    assert tally.best == (0, 0.9)
    tally.note(0, Ended("failed", None, 4, 10))
    assert (len(tally), dict(tally.counts), tally.best) == (2, {"failed": 1, "complete": 1}, (1, 0.5))
    assert (tally.epochs_run, tally.epochs_saved) == (14, 6)
    assert 0 in tally
    assert 2 not in tally


def test_the_best_is_the_earliest_of_equals() -> None:
    """Whichever of equals ended first, the one with the smallest number is named."""
    for maximize, best in ((True, (1, 0.5)), (False, (2, 0.1))):
        tally = Tally(maximize=maximize)
        assert tally.best is None
        for number, value in ((3, 0.5), (4, None), (1, 0.5), (5, 0.1), (2, 0.1)):
            tally.note(number, Ended("complete" if value is not None else "pruned", value, 1, 1))
        assert tally.best == best


def test_more_epochs_than_planned_save_none() -> None:
    """An objective that reports more often than its recipe says saved nothing, and costs others nothing."""
    tally = Tally(maximize=True)
    tally.note(0, Ended("complete", 0.5, 12, 10))
    tally.note(1, Ended("pruned", None, 9, 10))
    assert (tally.epochs_run, tally.epochs_saved) == (21, 1)


def test_the_ranking() -> None:
    """Complete trials from best to worst, the earlier of equals first."""
    tally = Tally(maximize=False)
    for number, value in ((3, 0.5), (4, None), (1, 0.5), (2, 0.1)):
        tally.note(number, Ended("complete" if value is not None else "pruned", value, 1, 1))
    assert tally.ranking == [2, 1, 3]
