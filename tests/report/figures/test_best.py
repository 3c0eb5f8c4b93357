"""Best value so far."""

from __future__ import annotations

import math

from tests.report.made import PRUNED, study, trial
from tests.store.databases import study_spec
from tunefast.report.figures import best


def test_the_best_never_gets_worse() -> None:
    """Each complete trial stands with the best up to it; stopped trials and infinite values do not count."""
    made = study(trial(0.5), trial(0.9, PRUNED), trial(0.3), trial(math.inf), trial(0.7))
    found = best.by_trial(made)
    assert found is not None
    assert [(point.trial, point.best) for point in found.points] == [(0, 0.5), (2, 0.5), (4, 0.7)]
    assert [point.trial for point in found.records] == [0, 4]


def test_less_is_better_where_the_study_says_so() -> None:
    """The direction is the study's."""
    found = best.by_trial(study(trial(0.5), trial(0.3), trial(0.4), spec=study_spec(direction="minimize")))
    assert found is not None
    assert [point.best for point in found.points] == [0.5, 0.3, 0.3]


def test_time_counts_from_the_first_start() -> None:
    """Trials stand where they ended; imported ones, which were trained elsewhere, do not."""
    made = study(trial(0.5, seconds=10), trial(0.9, seconds=5, imported="other 3"), trial(0.6, seconds=20))
    found = best.by_time(made)
    assert found is not None
    assert [(point.trial, point.at) for point in found.points] == [(0, 10.0), (2, 35.0)]


def test_nothing_is_drawn_without_a_complete_trial() -> None:
    """There are no numbers then."""
    assert best.by_trial(study(trial(None, PRUNED))) is None
    assert best.by_time(study()) is None


def test_the_picture_has_trials_and_steps() -> None:
    """A point per trial, and a line of records up to the last trial."""
    found = best.BestSoFar("score", [best.Point(at, at, at / 10, at / 10) for at in range(3)])
    trials, steps = best.draw_by_trial(found)["data"]
    assert list(trials["y"]) == [0.0, 0.1, 0.2]
    assert steps["line"]["shape"] == "hv"
    assert list(steps["x"])[-1] == 2


def test_many_trials_are_thinned_and_that_is_said() -> None:
    """A picture of ten thousand trials holds some of them, and its caption says so."""
    found = best.BestSoFar("score", [best.Point(at, at, 0.5, 0.5) for at in range(10_000)])
    assert len(best.draw_by_trial(found)["data"][0]["x"]) == best.MOST_POINTS
    assert "1,500 of 10,000" in best.caption(found)
