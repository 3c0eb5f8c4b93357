"""Learning curves."""

from __future__ import annotations

import math

from tests.report.made import PRUNED, epoch, study, trial
from tests.store.databases import study_spec
from tunefast.report.figures import curves


def test_pruned_early_stopped_and_complete_are_told_apart() -> None:
    """Each curve carries how its trial stands."""
    trials = (trial(0.5), trial(0.4, reason="early_stopping"), trial(None, PRUNED, reason="pruner"))
    found = curves.numbers(study(*trials, epochs=[epoch(of, 1, 0.1 * of) for of in range(3)]))
    assert found is not None
    assert [curve.standing for curve in found.curves] == ["complete", "early-stopped", "pruned"]
    lines = [trace for trace in curves.draw(found)["data"] if "lines" in trace["mode"]]
    dashes = {trace["name"]: trace["line"]["dash"] for trace in lines}
    assert len(set(dashes.values())) == 3


def test_rings_stand_at_the_values_of_the_study() -> None:
    """At the kept epoch of each trial that got to its end, in its line's group of the legend; the table says it too."""
    rows = [*(epoch(0, at, value) for at, value in enumerate((0.1, 0.6, 0.9), 1)), epoch(1, 1, 0.3)]
    found = curves.numbers(study(trial(0.6, kept_epoch=2), trial(0.3, PRUNED, kept_epoch=1), epochs=rows))
    assert found is not None
    assert [curve.kept for curve in found.curves] == [(2, 0.6), (1, 0.3)]
    (ring,) = [trace for trace in curves.draw(found)["data"] if trace["mode"] == "markers"]
    assert (list(ring["x"]), list(ring["y"])) == ([2, None], [0.6, None])
    assert ring["legendgroup"] == "complete"
    assert [row[2:4] for row in curves.table(found).rows] == [("0.6000", "2"), ("0.3000", "1")]
    assert "A ring is the epoch whose weights count" in curves.caption(found)


def test_each_trial_has_its_own_threshold() -> None:
    """Where trials were measured against different values, each has a line, and the last one of an epoch stands out."""
    rows = [epoch(0, 3, 0.5, pruner_threshold=0.2), epoch(1, 3, 0.5, pruner_threshold=0.4), epoch(1, 4, 0.6)]
    found = curves.numbers(study(trial(0.5), trial(0.6), epochs=rows))
    assert found is not None
    assert [curve.thresholds for curve in found.curves] == [{3: 0.2}, {3: 0.4}]
    assert found.last_thresholds == {3: 0.4}
    traces = {trace["name"]: trace for trace in curves.draw(found)["data"] if trace["mode"] != "markers"}
    assert list(traces["pruner's threshold, by trial"]["y"]) == [0.2, None, 0.4, None]
    assert list(traces["pruner's threshold, last one"]["y"]) == [0.4, None]
    assert "trial 0 (against 0.2000)" in traces["complete"]["text"]
    assert [row[-1] for row in curves.table(found).rows] == ["0.2000", "0.4000"]


def test_one_threshold_is_one_line() -> None:
    """Where all were measured against the same."""
    rows = [epoch(of, 3, 0.5, pruner_threshold=0.2) for of in range(2)]
    found = curves.numbers(study(trial(0.5), trial(0.6), epochs=rows))
    assert found is not None
    named = [trace["name"] for trace in curves.draw(found)["data"] if trace["mode"] != "markers"]
    assert named == ["complete", "pruner's threshold"]


def test_the_thresholds_of_many_trials_wait_in_the_legend() -> None:
    """They would hide the curves; the caption says where they are."""
    many = [curves.Curve(of, "complete", [1], [0.5], (1, 0.5), {1: of / 100}) for of in range(31)]
    found = curves.Curves("score", maximize=True, curves=many)
    by_trial = next(trace for trace in curves.draw(found)["data"] if trace["name"].endswith("by trial"))
    assert by_trial["visible"] == "legendonly"
    assert "click on it in the legend" in curves.caption(found)


def test_a_race_shows_what_was_needed_to_win() -> None:
    """And the target, beside each trial's curve."""
    spec = study_spec(metric="seconds_to_target", target={"metric": "val_accuracy", "value": 0.9})
    rows = [epoch(0, 2, 0.0, race_needed=0.5), epoch(1, 2, 0.0, race_needed=0.6, pruner_threshold=0.1)]
    for row in rows:
        row["metrics"] = {"val_accuracy": 0.55}
    made = study(trial(20.0), trial(None, PRUNED, reason="race"), epochs=rows, spec=spec)
    found = curves.numbers(made)
    assert found is not None
    assert found.last_thresholds == {2: 0.6}
    traces = {trace["name"]: trace for trace in curves.draw(found)["data"] if trace["mode"] != "markers"}
    assert list(traces["target"]["y"]) == [0.9, 0.9, None]
    assert "trial 1 (needed to win 0.6000)" in traces["pruned"]["text"]
    assert "needed to win, by trial" in traces


def test_infinite_values_are_left_out() -> None:
    """A diverged epoch breaks no axis."""
    found = curves.numbers(study(trial(0.5), epochs=[epoch(0, 1, 0.5), epoch(0, 2, math.nan), epoch(0, 3, math.inf)]))
    assert found is not None
    assert found.curves == [curves.Curve(0, "complete", [1], [0.5], (1, 0.5))]


def test_imported_trials_have_optunas_curves() -> None:
    """Where no epoch was reported to tunefast, the intermediate values are the curve."""
    imported = trial(0.5)
    imported.intermediate_values = {2: 0.4, 1: 0.3}
    found = curves.numbers(study(imported))
    assert found is not None
    assert found.curves == [curves.Curve(0, "complete", [1, 2], [0.3, 0.4], (2, 0.5))]


def test_of_many_curves_the_best_stay() -> None:
    """Half of what is drawn are the best, and the caption says what is left out."""
    many = [curves.Curve(number, "complete", [1], [float(number)], (1, float(number))) for number in range(1000)]
    found = curves.Curves("score", maximize=True, curves=many)
    kept = {curve.trial for curve in curves.chosen(found)}
    assert len(kept) == curves.MOST_CURVES
    assert set(range(900, 1000)) <= kept
    assert "200 of 1,000 curves" in curves.caption(found)


def test_no_report_no_figure() -> None:
    """A study whose trials reported nothing has no curves."""
    assert curves.numbers(study(trial(0.5))) is None
