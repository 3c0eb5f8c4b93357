"""Outcomes of trials that went different ways."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.report.made import FAILED, PRUNED, epoch, study, trial
from tests.store.databases import study_spec
from tunefast.report.figures.outcomes import gaps, outcomes, time_gaps


def test_stopped_trials_are_compared_where_they_were_stopped() -> None:
    """With whole ones at that epoch, whole ones among each other at their end; failed ones with nobody."""
    rows = [epoch(0, at, at / 10) for at in range(1, 11)]
    rows += [epoch(1, at, at / 5, seconds=2.0) for at in range(1, 4)] + [epoch(2, 1, 0.9), epoch(3, 1, 0.7)]
    whole, stopped, short, _ = trials = (trial(1.0), trial(None, PRUNED), trial(0.9), trial(None, FAILED))
    assert whole is not stopped is not short
    found = outcomes(study(*trials, epochs=rows))
    assert [each.trial.number for each in found] == [0, 1, 2]
    assert gaps(found[:1], found[1:]).tolist() == [[pytest.approx(0.3 - 0.6), pytest.approx(1.0 - 0.9)]]
    assert time_gaps(found[:1], found[1:2])[0, 0] == pytest.approx(math.log(10 / 20))


def test_at_its_end_a_trial_has_its_value() -> None:
    """On its way what was reached once stays reached, whichever way is better; at the end the study's value counts."""
    spec = study_spec(direction="minimize")
    rows = [epoch(0, 1, 0.5), epoch(0, 2, 0.3), epoch(0, 3, 0.4), epoch(0, 4, math.nan)]
    (found,) = outcomes(study(trial(0.4), epochs=rows, spec=spec))
    assert [found.at(end) for end in (1, 2, 3, math.inf)] == [0.5, 0.3, 0.3, 0.4]
    assert np.isnan(found.at(0))


def test_in_a_race_winners_are_compared_on_their_way() -> None:
    """All who got to the target are equal at their end, so they are compared while both ran."""
    spec = study_spec(metric="seconds_to_target", target={"metric": "val_accuracy", "value": 0.9})
    rows = [epoch(0, 1, 0.0), epoch(0, 2, 0.0), epoch(1, 1, 0.0)]
    for row, value in zip(rows, (0.5, 0.9, 0.91), strict=True):
        row["metrics"] = {"val_accuracy": value}
    found = outcomes(study(trial(20.0), trial(10.0), epochs=rows, spec=spec))
    assert gaps(found[1:], found[:1])[0, 0] == pytest.approx(0.91 - 0.5)


def test_imported_trials_count_by_their_value() -> None:
    """They were timed by nobody."""
    found = outcomes(study(trial(0.5), trial(0.75)))
    assert gaps(found[1:], found[:1]).tolist() == [[0.25]]
    assert np.isnan(time_gaps(found[1:], found[:1])).all()
