"""The forecast of how long a study takes, from costs and curves that are given."""

from __future__ import annotations

from typing import Any

import pytest

from tunefast.run.preflight import forecast as module
from tunefast.run.preflight.forecast import Kind, best_so_far, forecast
from tunefast.spec.study import StudySpec


@pytest.fixture(autouse=True)
def no_overheads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what trials cost counts."""
    monkeypatch.setattr(module, "TRIAL_SECONDS", 0.0)
    monkeypatch.setattr(module, "REPORT_SECONDS", 0.0)


def _spec(budget: dict[str, Any], **study: Any) -> StudySpec:
    return StudySpec.model_validate(
        {
            "study": {"name": "s", "pruner": {"name": "none"}, **study},
            "budget": budget,
            "recipe": {"epochs": 10, "data": {"name": "digits"}},
            "space": {"optimizer.lr": {"choices": [0.1, 0.01]}},
        }
    )


def _kind(curve: list[float], weight: float = 1.0, seconds: float = 2.0, *, annealed: bool = False) -> Kind:
    best = best_so_far(curve, maximize=True)
    return Kind(weight, 1.0, seconds, epochs=10, warmup_epochs=3, curve=curve, best=best, annealed=annealed)


def test_trials_one_after_the_other() -> None:
    """Twelve trials of 1 + 10 x 2 seconds take what they sum up to, divided by the workers, after the start."""
    kinds = [_kind([0.5] * 10)]
    alone = forecast(_spec({"trials": 12}), kinds, workers=1, before_seconds=5.0)
    assert (alone.without.middle, alone.without.trials) == (5 + 12 * 21, 12)
    assert alone.with_stop_rules is None
    assert forecast(_spec({"trials": 12}), kinds, workers=3, before_seconds=5.0).without.middle == 5 + 4 * 21


def test_minutes() -> None:
    """A budget of time ends at the first report after it, and says how many trials it holds."""
    seen = forecast(_spec({"minutes": 2}), [_kind([0.5] * 10)], workers=1, before_seconds=0.0)
    assert 120 <= seen.without.middle <= 122
    assert seen.without.trials == 6


def test_early_stopping() -> None:
    """Where curves end early, the study takes less with stop rules than without."""
    seen = forecast(_spec({"trials": 10}), [_kind([0.5] * 4)], workers=1, before_seconds=0.0)
    assert seen.with_stop_rules is not None
    assert seen.with_stop_rules.middle == 10 * (1 + 4 * 2)
    assert seen.without.middle == 10 * 21


def test_median_pruner() -> None:
    """Trials below the median end after their warm-up, but for those that run before there are enough to compare."""
    kinds = [_kind([quality / 10] * 10) for quality in range(10)]
    seen = forecast(_spec({"trials": 100}, pruner={"name": "median"}), kinds, workers=1, before_seconds=0.0)
    assert seen.with_stop_rules is not None
    pruned, whole = 1 + 4 * 2, 1 + 10 * 2
    assert 100 * pruned < seen.with_stop_rules.middle < 100 * (pruned + whole) / 2
    assert seen.with_stop_rules.low <= seen.with_stop_rules.middle <= seen.with_stop_rules.high


def test_target() -> None:
    """The study ends with the first trial that reaches the target; the share of studies with one is told."""
    kinds = [_kind([0.5] * 10), _kind([0.5] * 4 + [0.9] * 6)]
    sure = forecast(_spec({"trials": 100, "target": 0.9}), kinds, workers=1, before_seconds=0.0)
    assert sure.reaches_target == 1
    assert sure.without.trials < 10
    never = forecast(_spec({"trials": 10, "target": 0.95}), kinds, workers=1, before_seconds=0.0)
    assert never.reaches_target == 0


def test_likely_recipes_count_more() -> None:
    """A recipe that is three times as likely has three times the share of the trials."""
    kinds = [_kind([0.5] * 10, weight=0.75, seconds=1.0), _kind([0.5] * 10, weight=0.25, seconds=5.0)]
    seen = forecast(_spec({"trials": 1000}), kinds, workers=1, before_seconds=0.0)
    assert seen.without.middle == pytest.approx(1000 * (0.75 * 11 + 0.25 * 51), rel=0.05)


def test_nan_ends_a_trial() -> None:
    """A trial ends at the first report that is no number, whatever the stop rules."""
    kinds = [_kind([0.5, float("nan")] + [0.5] * 8)]
    seen = forecast(_spec({"trials": 20}), kinds, workers=1, before_seconds=0.0)
    assert seen.without.middle == 20 * (1 + 2 * 2)


def test_who_waits_at_a_rung_goes_on() -> None:
    """Of four equal trials the first gets to its end, in five turns, the second to the second rung, in two."""
    asha = {"name": "asha", "min_epochs": 1, "reduction": 2, "promote": True}
    seen = forecast(_spec({"trials": 4}, pruner=asha), [_kind([0.5] * 10)], workers=1, before_seconds=0.0)
    assert seen.with_stop_rules is not None
    num_epochs, num_turns = 10 + 2 + 1 + 1, 5 + 2 + 1 + 1
    assert seen.with_stop_rules.middle == num_epochs * 2 + num_turns * 1
    assert seen.with_stop_rules.trials == 4


@pytest.mark.parametrize("pruner", ["safe", "fast"])
def test_trials_go_on_in_large_studies_too(pruner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial of a thousand takes about what one of a hundred takes."""
    monkeypatch.setattr(module, "MOST_STUDIES", 5)
    kinds = [_kind([0.1 + quality * epoch / 1000 for epoch in range(10)]) for quality in range(10)]
    each = {}
    for trials in (100, 1000):
        spec = _spec({"trials": trials}, pruner={"name": pruner})
        seen = forecast(spec, kinds, workers=1, before_seconds=0.0).with_stop_rules
        assert seen is not None
        each[trials] = seen.middle / trials
    assert each[1000] == pytest.approx(each[100], rel=0.1)


def test_an_annealed_schedule_is_judged_as_one() -> None:
    """Trials that fall short where their learning rate does not fall are given the doubt where it does."""
    took = []
    for annealed in (False, True):
        kinds = [_kind(curve, annealed=annealed) for curve in ([0.5] * 2 + [0.9] * 8, [0.35] * 10, [0.1] * 10)]
        seen = forecast(_spec({"trials": 12}, pruner={"name": "fast"}), kinds, workers=1, before_seconds=0.0)
        assert seen.with_stop_rules is not None
        took.append(seen.with_stop_rules.middle)
    assert took[0] < took[1]


def test_target_with_many_workers() -> None:
    """A target that is reached counts, also where trials beside it end after the time is up."""
    kinds = [_kind([0.5] * 4 + [0.9] * 6, seconds=10.0)]
    seen = forecast(_spec({"minutes": 1, "target": 0.9}), kinds, workers=8, before_seconds=0.0)
    assert seen.reaches_target == 1


def test_a_grid_within_a_budget() -> None:
    """A grid ends with its cells, or with its trials where these are fewer."""
    for trials, expected in ((1, 1), (2, 2), (9, 2)):
        spec = _spec({"trials": trials}, sampler={"name": "grid"})
        assert forecast(spec, [_kind([0.5] * 10)], workers=1, before_seconds=0.0).without.trials == expected


def test_more_epochs_than_can_be_played() -> None:
    """A study of very many epochs is played in part, and taken to go on like that."""
    kinds = [Kind(1.0, 0.0, 0.001, 100, 3, [0.5] * 100, [0.5] * 100)]
    long = forecast(_spec({"minutes": 60 * 24}), kinds, workers=2, before_seconds=5.0).without
    assert long.middle == 60 * 60 * 24
    assert long.trials == pytest.approx(2 * 60 * 60 * 24 / 0.1, rel=0.01)
    counted = forecast(_spec({"trials": 100_000}), kinds, workers=2, before_seconds=5.0).without
    assert counted.middle == pytest.approx(5 + 100_000 * 0.1 / 2, rel=0.01)


def test_best_so_far() -> None:
    """The best value up to each epoch, in the study's direction; NaN is no value."""
    nan = float("nan")
    assert best_so_far([0.1, nan, 0.3, 0.2], maximize=True) == [0.1, 0.1, 0.3, 0.3]
    assert best_so_far([0.3, 0.1, 0.2], maximize=False) == [0.3, 0.1, 0.1]
    assert [value == value for value in best_so_far([nan, 0.1], maximize=True)] == [False, True]  # noqa: PLR0124


def test_a_race() -> None:
    """Trials end at the target, or once they have spent more than the best did; the budget's target is in seconds."""
    race: dict[str, Any] = {"metric": "seconds_to_target", "target": {"value": 0.9}}
    fast = _kind([0.2, 0.5, 0.95, *[0.95] * 7])
    slow = _kind([0.2, 0.5, 0.95, *[0.95] * 7], weight=1e-9, seconds=7.0)
    seen = forecast(_spec({"trials": 10}, **race), [fast, slow], workers=1, before_seconds=0.0)
    assert seen.with_stop_rules is not None
    assert seen.with_stop_rules.middle == 10 * (1 + 3 * 2)
    assert seen.without.middle == 10 * 21
    soon = forecast(_spec({"trials": 10, "target": 6}, **race), [fast], workers=1, before_seconds=0.0)
    assert (soon.reaches_target, soon.with_stop_rules and soon.with_stop_rules.middle) == (1.0, 7.0)
