"""Pruning by percentile where trials that run count too."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search.playing import claimed, finish, live_study, report
from tests.store.databases import STUDY
from tunefast.search.live import LiveStudy
from tunefast.search.pruning import Curve, Decision, Standing, num_missing, pruning_rule
from tunefast.search.pruning.percentile import PercentileRule, percentile
from tunefast.spec.progress import Ending, Verdict
from tunefast.spec.pruners import MedianPruner
from tunefast.store.database import Database

ACTS = st.lists(
    st.tuples(
        st.sampled_from(["report", "report", "report", "rewind", "complete", "stop", "restart"]),
        st.integers(0, 4),
        st.floats(-1, 1) | st.sampled_from([0.0, 0.5, math.nan]),
    ),
    max_size=60,
)


class Recounted:
    """The rule by its definition, which reads every curve again for every report."""

    def __init__(self, startup_trials: int, *, maximize: bool) -> None:
        self.startup_trials, self.maximize = startup_trials, maximize
        self.complete: list[dict[int, float]] = []
        self.running: dict[int, dict[int, float]] = {}

    def judge(self, number: int, epoch: int) -> Decision:
        """What is said of a trial whose curve has the epoch as its last."""
        others = [curve for other, curve in self.running.items() if other != number]
        there = [curve for curve in others if not math.isnan(curve.get(epoch, math.nan))]
        values = sorted(
            curve[epoch] for curve in (*self.complete, *there) if not math.isnan(curve.get(epoch, math.nan))
        )
        missing = max(0, self.startup_trials - len(self.complete) - len(there))
        best = best_of(self.running[number], maximize=self.maximize)
        if missing or math.isnan(best) or not values:
            return Decision(prune=not missing and math.isnan(best), num_curves=len(values), missing=missing)
        threshold = percentile(values, 50.0)
        return Decision(best < threshold if self.maximize else best > threshold, threshold, len(values))


def best_of(curve: dict[int, float], *, maximize: bool) -> float:
    """The best of a curve; NaN where it has no number."""
    return (max if maximize else min)((value for value in curve.values() if not math.isnan(value)), default=math.nan)


@given(acts=ACTS, startup_trials=st.integers(1, 4), maximize=st.booleans())
@settings(max_examples=150)
def test_counts_what_runs_and_what_is_complete(
    *, acts: list[tuple[str, int, float]], startup_trials: int, maximize: bool
) -> None:
    """Whatever is reported, trained again, completed, stopped or restarted, in any order: each trial counts once."""

    def new_rule() -> PercentileRule:
        return PercentileRule(startup_trials, maximize=maximize, include_running=True)

    rule, recounted = new_rule(), Recounted(startup_trials, maximize=maximize)
    numbers = list(range(5))
    for act, slot, value in acts:
        number = numbers[slot]
        curve = recounted.running.get(number, {})
        if act in ("report", "rewind"):
            epoch = 1 + (max(curve, default=0) if act == "report" else max(curve, default=0) // 2)
            kept = {before: said for before, said in curve.items() if before < epoch}
            recounted.running[number] = curve = {**kept, epoch: value}
            best = best_of(curve, maximize=maximize)
            assert rule.judge(Standing(number, epoch, value, best)) == recounted.judge(number, epoch)
        elif act in ("complete", "stop") and curve:
            rule.learn(Curve(number, curve, None, complete=act == "complete"))
            recounted.complete += [recounted.running.pop(number)] if act == "complete" else []
            recounted.running.pop(number, None)
            numbers[slot] += 5
        elif act == "restart":
            rule = new_rule()
            for ended in recounted.complete:
                rule.learn(Curve(0, ended, None, complete=True))
            for running, going in recounted.running.items():
                rule.learn(Curve(running, going, None, running=True))


def test_needs_fewer_complete_trials() -> None:
    """A study says how many trials are missing: those that run count for it, where the spec says so."""
    counts = {"complete": 1, "running": 3, "pruned": 2}
    assert num_missing(MedianPruner(), counts) == 4
    assert num_missing(MedianPruner(include_running=True), counts) == 1


def test_a_rule_leaves_running_trials_out_unless_told() -> None:
    """By default only complete trials count, as Optuna has it."""
    rule = pruning_rule(MedianPruner(startup_trials=1, warmup_epochs=0), maximize=True)
    rule.judge(Standing(0, 1, 0.9, 0.9))
    assert rule.judge(Standing(1, 1, 0.1, 0.1)).missing == 1


def test_a_live_study_counts_what_runs(database: Database) -> None:
    """Trials are judged by others that run; by one that failed no more, nor by what an attempt trains again."""
    median = {"name": "median", "startup_trials": 1, "warmup_epochs": 0, "include_running": True}
    live = live_study(database, pruner=median)
    first, second = claimed(live), claimed(live)
    assert report(live, first, 1, 0.9).verdict is Verdict.CONTINUE
    assert report(live, second, 1, 0.5).verdict is Verdict.PRUNE
    live.flush()
    live = LiveStudy(database, STUDY)
    again = {running.number: running for running in (claimed(live), claimed(live))}
    assert report(live, again[1], 1, 0.5).verdict is Verdict.PRUNE
    assert report(live, again[0], 1, 0.2).verdict is Verdict.PRUNE
    assert report(live, again[1], 2, 0.5).verdict is Verdict.CONTINUE
    finish(live, again[0], Ending.FAILED, error="broke")
    third = claimed(live)
    assert report(live, third, 1, 0.1).verdict is Verdict.PRUNE
    finish(live, again[1], Ending.FAILED, error="broke")
    assert report(live, third, 1, 0.1).verdict is Verdict.CONTINUE
