"""Figures of settings: together, one by one, and which mattered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.made import PRUNED, study, trial
from tunefast.report.figures import importance, parallel, slices
from tunefast.report.figures.drawing import HALO
from tunefast.report.figures.scales import Scale, log_ticks, scales
from tunefast.store.snapshot import StudySnapshot


def searched() -> StudySnapshot:
    """Trials with settings of every type; the last one lacks some, and one was stopped."""
    return study(
        trial(0.5, params={"x": 0.1, "lr": 1e-4, "depth": 2, "model": "mlp"}),
        trial(0.7, params={"x": 0.9, "lr": 1e-2, "depth": 4, "model": "<b>cnn</b>"}),
        trial(None, PRUNED, params={"x": 0.2}),
        trial(0.6, params={"x": 0.5}),
    )


def test_a_logarithmic_setting_has_a_logarithmic_scale() -> None:
    """Equal factors are equal lengths, and choices stand in the middle of their share."""
    found = {scale.name: scale for scale in scales(searched())}
    assert found["lr"].share(1e-3) == pytest.approx(0.5)
    assert found["x"].share(0.5) == pytest.approx(0.5)
    assert found["model"].share("mlp") == pytest.approx(0.25)
    assert Scale("x", 1, 1).share(1) == 0.5


def test_a_missing_setting_breaks_the_line() -> None:
    """A trial without a conditional setting has a gap there, and the best trial is drawn apart."""
    found = parallel.numbers(searched())
    assert found is not None
    assert [line.trial for line in found.lines] == [1, 3, 0]
    others, best = parallel.draw(found)["data"]
    assert None not in list(best["y"])[:-1]
    assert list(others["y"])[:5].count(None) == 3
    assert {others["type"], best["type"]} == {"scatter"}


def test_of_many_lines_the_best_stay() -> None:
    """No more lines are drawn than can be told apart."""
    lines = [parallel.Line(number, 1 - number / 5000, {"x": 0.5}) for number in range(5000)]
    found = parallel.Lines([Scale("x", 0, 1), Scale("score", 0, 1)], lines)
    assert len(parallel.shown(found)) == parallel.MOST_LINES
    assert parallel.shown(found)[0].trial == 0
    assert "300 of 5,000" in parallel.caption(found)


def test_all_choices_have_a_place_on_their_axis() -> None:
    """Also one that no complete trial has: in order, with half a step at either end."""
    found = slices.Slices(
        "score", [slices.Slice(Scale("p", 0, 2, labels=("a", "b", "c")), [(0, "b", 0.5)], (0, "b", 0.5))]
    )
    axis = slices.draw(found)["layout"]["xaxis"]
    assert (axis["categoryarray"], axis["range"]) == (["a", "b", "c"], [-0.5, 2.5])


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0029, 0.051, [0.003, 0.01, 0.03]),
        (1.0, 9.0, [1, 2, 5]),
        (1e-9, 1.0, [1e-9, 1e-7, 1e-5, 1e-3, 1e-1]),
        (0.031, 0.044, [0.031, 0.044]),
        (0.5, 0.5, [0.5]),
    ],
)
def test_a_logarithmic_axis_has_a_few_round_numbers(low: float, high: float, ticks: list[float]) -> None:
    """As many as a phone has room for, and its ends where there is nothing round between them."""
    assert log_ticks(low, high) == pytest.approx(ticks)
    found = slices.Slices("score", [slices.Slice(Scale("lr", low, high, log=True), [(0, low, 0.5)], (0, low, 0.5))])
    axis = slices.draw(found)["layout"]["xaxis"]
    assert list(axis["tickvals"]) == pytest.approx(ticks)
    assert [float(text) for text in axis["ticktext"]] == pytest.approx(ticks)


@given(st.floats(1e-12, 1e12), st.floats(1, 1e12))
def test_no_logarithmic_axis_is_crowded(low: float, factor: float) -> None:
    """Whatever it spans."""
    ticks = log_ticks(low, low * factor)
    assert 1 <= len(ticks) <= 7
    assert low <= ticks[0] <= ticks[-1] <= low * factor


def test_words_on_lines_have_a_ground() -> None:
    """Choices and ends of axes stand on the lines of trials, which are not to run through them."""
    found = parallel.numbers(searched())
    assert found is not None
    assert {note["bgcolor"] for note in parallel.draw(found)["layout"]["annotations"]} == {HALO}


def test_each_setting_has_its_slice() -> None:
    """A slice holds the trials that have the setting, and where the best of them stands."""
    found = slices.numbers(searched())
    assert found is not None
    assert {each.scale.name: len(each.points) for each in found.slices} == {"x": 3, "lr": 2, "depth": 2, "model": 2}
    assert {each.best[0] for each in found.slices} == {1}
    layout = slices.draw(found)["layout"]
    assert layout["xaxis2"]["type"] == "log"
    assert layout["xaxis4"]["type"] == "category"


def test_the_setting_that_decides_matters_most() -> None:
    """The method finds it, the shares sum to 1, and the caption names it."""
    trials = [
        trial((number % 10) / 10, params={"x": number % 10 / 10, "depth": number % 7 + 1}) for number in range(40)
    ]
    found = importance.numbers(study(*trials))
    assert found is not None
    assert next(iter(found.shares)) == "x"
    assert sum(found.shares.values()) == pytest.approx(1)
    assert "fANOVA" in importance.caption(found)
    assert list(importance.draw(found)["data"][0]["y"]) == list(found.shares)


def test_importance_needs_trials_that_differ() -> None:
    """Too few, equal values, or a single setting: nothing is said."""
    few = [trial(number / 10, params={"x": number / 10, "depth": 1 + number % 3}) for number in range(10)]
    equal = [trial(0.5, params={"x": number / 30, "depth": 1 + number % 3}) for number in range(30)]
    single = [trial(number / 30, params={"x": number / 30}) for number in range(30)]
    for trials in (few, equal, single, []):
        assert importance.numbers(study(*trials)) is None


def test_settings_need_a_complete_trial() -> None:
    """Without one there is nothing to draw."""
    assert parallel.numbers(study(trial(None, PRUNED, params={"x": 0.5}))) is None
    assert slices.numbers(study()) is None
