"""Figures over the trials that ended."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

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


def test_trials_from_another_study_are_counted_apart() -> None:
    """However they ended, they are none of this study's own trials."""
    tally = Tally(maximize=True)
    tally.note(0, Ended("complete", 0.9, 4, 4, imported=True))
    tally.note(1, Ended("pruned", None, 2, 2, imported=True))
    tally.note(2, Ended("complete", 0.5, 4, 4))
    assert tally.counts == {"imported": 2, "complete": 1}
    assert tally.num_trained == 1


def test_the_ranking() -> None:
    """Complete trials from best to worst, the earlier of equals first."""
    tally = Tally(maximize=False)
    for number, value in ((3, 0.5), (4, None), (1, 0.5), (2, 0.1)):
        tally.note(number, Ended("complete" if value is not None else "pruned", value, 1, 1))
    assert tally.ranking(3) == [2, 1, 3]


ended = st.builds(
    Ended,
    state=st.just("complete"),
    value=st.none() | st.sampled_from([0.1, 0.5, 0.9]),
    epochs_run=st.integers(0, 9),
    epochs_planned=st.just(9),
    imported=st.booleans(),
)


@given(st.lists(st.tuples(st.integers(0, 5), ended), max_size=20), st.booleans())
def test_figures_are_kept_up_to_date(notes: list[tuple[int, Ended]], maximize: bool) -> None:
    """However often a trial is noted, the figures are those of what was noted last of each."""
    tally, last = Tally(maximize=maximize), dict(notes)
    for number, note in notes:
        tally.note(number, note)
    own = [note for note in last.values() if not note.imported]
    assert (tally.num_trained, tally.epochs_run) == (len(own), sum(note.epochs_run for note in own))
    sign = -1 if maximize else 1
    values = [(sign * note.value, number) for number, note in last.items() if note.value is not None]
    assert tally.best == (None if not values else (min(values)[1], sign * min(values)[0]))
