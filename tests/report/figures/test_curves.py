"""Learning curves."""

from __future__ import annotations

import math

from tests.report.made import PRUNED, epoch, study, trial
from tunefast.report.figures import curves


def test_pruned_early_stopped_and_complete_are_told_apart() -> None:
    """Each curve carries how its trial stands."""
    trials = (trial(0.5), trial(0.4, reason="early_stopping"), trial(None, PRUNED, reason="pruner"))
    found = curves.numbers(study(*trials, epochs=[epoch(of, 1, 0.1 * of) for of in range(3)]))
    assert found is not None
    assert [curve.standing for curve in found.curves] == ["complete", "early-stopped", "pruned"]
    dashes = {trace["name"]: trace["line"]["dash"] for trace in curves.draw(found)["data"]}
    assert len(set(dashes.values())) == 3


def test_the_threshold_is_the_last_one_of_each_epoch() -> None:
    """Of the trials that were judged at an epoch the last one says what it was measured against."""
    rows = [epoch(0, 3, 0.5, pruner_threshold=0.2), epoch(1, 3, 0.5, pruner_threshold=0.4), epoch(1, 4, 0.6)]
    found = curves.numbers(study(trial(0.5), trial(0.6), epochs=rows))
    assert found is not None
    assert found.thresholds == {3: 0.4}
    assert curves.draw(found)["data"][-1]["name"] == "pruner's threshold"


def test_infinite_values_are_left_out() -> None:
    """A diverged epoch breaks no axis."""
    found = curves.numbers(study(trial(0.5), epochs=[epoch(0, 1, 0.5), epoch(0, 2, math.nan), epoch(0, 3, math.inf)]))
    assert found is not None
    assert found.curves == [curves.Curve(0, "complete", [1], [0.5])]


def test_imported_trials_have_optunas_curves() -> None:
    """Where no epoch was reported to tunefast, the intermediate values are the curve."""
    imported = trial(0.5)
    imported.intermediate_values = {2: 0.4, 1: 0.3}
    found = curves.numbers(study(imported))
    assert found is not None
    assert found.curves == [curves.Curve(0, "complete", [1, 2], [0.3, 0.4])]


def test_of_many_curves_the_best_stay() -> None:
    """Half of what is drawn are the best, and the caption says what is left out."""
    many = [curves.Curve(number, "complete", [1], [float(number)]) for number in range(1000)]
    found = curves.Curves("score", maximize=True, curves=many, thresholds={})
    kept = {curve.trial for curve in curves.chosen(found)}
    assert len(kept) == curves.MOST_CURVES
    assert set(range(900, 1000)) <= kept
    assert "200 of 1,000 curves" in curves.caption(found)


def test_no_report_no_figure() -> None:
    """A study whose trials reported nothing has no curves."""
    assert curves.numbers(study(trial(0.5))) is None
