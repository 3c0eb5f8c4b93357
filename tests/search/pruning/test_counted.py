"""Curves that are compared between their reports, and by other axes than epochs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.search.playing import claimed, finish, live_study
from tests.store.databases import STUDY, study_spec
from tunefast.search.live import LiveStudy
from tunefast.search.pruning import Curve, Decision, Standing, pruning_rule
from tunefast.search.pruning.axis import Axis
from tunefast.search.pruning.counted import CarriedCurves
from tunefast.search.pruning.halving import HalvingRule
from tunefast.spec.progress import EpochReport, Verdict
from tunefast.spec.pruners import AshaPruner, HyperbandPruner, MedianPruner, PercentilePruner
from tunefast.store.database import Database

ACTS = st.lists(
    st.tuples(
        st.sampled_from(["report", "report", "report", "rewind", "complete", "stop", "ask"]),
        st.integers(0, 3),
        st.integers(1, 5),
        st.floats(-1, 1),
    ),
    max_size=40,
)


def drawn_through(curve: dict[int, float], place: int, *, carried: bool) -> float | None:
    """A curve's value at a place, by NumPy."""
    if not curve or place < min(curve) or (place > max(curve) and not carried):
        return None
    return float(np.interp(place, list(curve), list(curve.values())))


@given(acts=ACTS)
@settings(max_examples=150)
def test_what_counts_at_a_place(acts: list[tuple[str, int, int, float]]) -> None:
    """Whatever is reported, trained again, completed or stopped: what counts is as if all curves were read again."""
    curves = CarriedCurves(Axis())
    complete: list[dict[int, float]] = []
    running: dict[int, dict[int, float]] = {}
    asked: set[int] = set()
    for act, number, step, value in acts:
        curve = running.get(number, {})
        if act in ("report", "rewind"):
            place = max(curve, default=0) + step if act == "report" else max(1, max(curve, default=0) - step)
            running[number] = {before: said for before, said in curve.items() if before < place} | {place: value}
            curves.withdraw(number, place)
            curves.add(number, {place: value}, running=True)
        elif act == "ask":
            asked.add(5 * number + step)
        elif curve:
            curves.withdraw(number)
            if act == "complete":
                curves.add(number, curve, running=False)
                complete.append(curve)
            del running[number]
        for place in asked:
            found = [drawn_through(curve, place, carried=True) for curve in complete]
            there = [drawn_through(curve, place, carried=False) for curve in running.values()]
            expected = sorted(value for value in (*found, *there) if value is not None)
            assert list(curves.at(place)) == pytest.approx(expected, abs=1e-12)
            assert curves.num_running(place) == sum(value is not None for value in there)


def test_reports_that_never_meet_are_compared() -> None:
    """A trial evaluated at odd epochs is judged by ones evaluated at even epochs, and by ones that ended early."""
    exact, carried = (
        pruning_rule(MedianPruner(startup_trials=1, warmup_epochs=0, align=align), maximize=True)
        for align in ("exact", "carry")
    )
    for rule in (exact, carried):
        rule.learn(Curve(0, {2: 0.2, 4: 0.6}, 10, complete=True))
        rule.learn(Curve(1, {2: 0.4, 6: 0.8}, 10, complete=True))
        rule.learn(Curve(2, {2: 0.9}, 10))
    standing = Standing(3, 5, 0.5, 0.5)
    assert exact.judge(standing).num_curves == 0
    assert carried.judge(standing) == Decision(prune=True, threshold=0.65, num_curves=2)
    assert carried.judge(Standing(3, 1, 0.1, 0.1)).num_curves == 0
    assert carried.judge(Standing(3, 30, 0.75, 0.75)) == Decision(prune=False, threshold=0.7, num_curves=2)


@pytest.mark.parametrize("axis", ["steps", "seconds"])
def test_trials_meet_where_they_spent_as_much(axis: Any) -> None:
    """A trial with long epochs is compared with what short epochs had reached for the same cost, within 2 percent."""
    rule = pruning_rule(
        PercentilePruner(percentile=50, startup_trials=1, warmup_epochs=0, align="carry", axis=axis), maximize=True
    )
    short = {epoch: epoch / 10 for epoch in range(1, 9)}
    rule.learn(Curve(0, short, 8, complete=True, spent={epoch: 100.0 * epoch for epoch in short}))
    rule.learn(Curve(1, short, 8, complete=True))  # of which nobody knows what it cost
    decision = rule.judge(Standing(2, 1, 0.3, 0.3, 4, spent=450.0))
    assert decision.prune
    assert decision.threshold == pytest.approx(0.45, rel=0.02)
    assert decision.num_curves == 1


def test_trials_meet_at_the_same_share() -> None:
    """A trial of 8 epochs is at its second where one of 4 is at its first."""
    rule = pruning_rule(MedianPruner(startup_trials=1, warmup_epochs=0, align="carry", axis="share"), maximize=True)
    rule.learn(Curve(0, {1: 0.3, 2: 0.5, 3: 0.6, 4: 0.7}, 4, complete=True))
    assert rule.judge(Standing(1, 2, 0.4, 0.4, 8)).threshold == 0.3
    assert rule.judge(Standing(1, 3, 0.4, 0.4, 8)).threshold == pytest.approx(0.4)
    assert rule.judge(Standing(1, 8, 0.4, 0.4, 8)).threshold == 0.7


def test_rungs_at_shares() -> None:
    """With rungs at a quarter and a sixteenth, trials of any length meet there; none stands before `min_epochs`."""
    rule = HalvingRule(2, 4, maximize=True, shares=True)
    assert [rule.judge(Standing(0, epoch, 0.5, 0.5, 32)).num_curves for epoch in range(1, 10)] == [
        *(0, 1, 0, 0, 0, 0, 0, 1, 0)
    ]
    assert [rule.judge(Standing(1, epoch, 0.4, 0.4, 8)).prune for epoch in range(1, 9)] == [False, True, *[False] * 6]
    assert rule.judge(Standing(2, 2, 0.4, 0.4, 100)).num_curves == 0
    assert rule.judge(Standing(2, 7, 0.4, 0.4, 100)) == (True, 0.5, 2, 0)


def test_brackets_at_shares() -> None:
    """Hyperband's brackets begin at a ninth, at a third, and at the end."""
    rule = pruning_rule(HyperbandPruner(axis="share"), maximize=True)
    firsts = set()
    for number in range(40):
        judged = [epoch for epoch in range(1, 19) if rule.judge(Standing(number, epoch, 1.0, 1.0, 18)).num_curves]
        assert judged == [epoch for epoch in (2, 6, 18) if epoch >= judged[0]]
        firsts.add(judged[0])
    assert firsts == {2, 6, 18}


@pytest.mark.parametrize(
    ("pruner", "recipe", "problem"),
    [
        ({"name": "median", "axis": "share"}, {}, 'axis = "share" needs align = "carry"'),
        ({"name": "asha", "axis": "steps"}, {}, 'no rung can stand at steps: .*; use "epochs" or "share"'),
        ({"name": "asha", "axis": "miles"}, {}, "Input should be 'epochs' or 'share'"),
        ({"name": "median", "axis": "steps", "align": "carry"}, {}, "other training reports no steps"),
    ],
)
def test_what_is_refused(pruner: dict[str, Any], recipe: dict[str, Any], problem: str) -> None:
    """Options that could compare nothing are refused when the study is created, in words."""
    with pytest.raises(ValidationError, match=problem):
        study_spec(pruner=pruner, recipe=recipe)


def test_a_share_needs_an_end() -> None:
    """Where nobody knows how long trials are there is no share of them."""
    table = study_spec(pruner={"name": "asha"}).table()
    del table["recipe"]["epochs"]
    table["study"]["pruner"]["axis"] = "share"
    with pytest.raises(ValidationError, match='axis = "share" needs to know how long trials are; give epochs'):
        type(study_spec()).model_validate(table)
    assert AshaPruner(axis="share").axis == "share"


def test_a_restart_knows_what_trials_had_spent(database: Database) -> None:
    """Seconds of ended trials are known after a restart; those of an attempt that is trained again count once."""
    median = {"name": "median", "startup_trials": 1, "warmup_epochs": 0, "align": "carry", "axis": "seconds"}
    live = live_study(database, pruner=median)
    first, second = claimed(live), claimed(live)
    for epoch in (1, 2, 3):
        tell(live, first.number, epoch, 0.1 * epoch, 10.0)
    finish(live, first)
    tell(live, second.number, 1, 0.9, 14.0)
    tell(live, second.number, 2, 0.9, 14.0)
    live.flush()
    for study in (live, LiveStudy(database, STUDY)):
        if study is not live:
            second = claimed(study)
            assert tell(study, second.number, 2, 0.9, 11.0).verdict is Verdict.CONTINUE
        third = claimed(study)
        assert tell(study, third.number, 1, 0.24, 25.0).verdict is Verdict.PRUNE
        assert tell(study, third.number, 1, 0.26, 25.0).verdict is Verdict.CONTINUE
        study.release(third.number, "died")
        assert second.spent == ({1: 14.0, 2: 28.0} if study is live else {1: 14.0, 2: 25.0})


def tell(live: LiveStudy, number: int, epoch: int, value: float, seconds: float) -> Any:
    """Report an epoch that took so long."""
    live.running[number].begun = live.running[number].begun and epoch > live.running[number].epochs
    return live.report(number, EpochReport(epoch=epoch, metrics={"score": value}, train_seconds=seconds))
