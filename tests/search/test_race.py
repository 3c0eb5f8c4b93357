"""Racing to a target: who is stopped and why, what is stored, and what samplers see meanwhile."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState
from pydantic import ValidationError

from tests.search.playing import claimed
from tests.store.databases import STUDY, stock_trials, study_spec
from tunefast.search.budget import End
from tunefast.search.live import LiveStudy
from tunefast.search.pruning import Curve, Standing
from tunefast.search.race import BEST, NEEDED, SPENT, RaceRule, extrapolated
from tunefast.search.running import Running
from tunefast.spec.progress import Answer, Ending, EpochReport, Outcome, Verdict
from tunefast.spec.study_section import StudySection, Target
from tunefast.store import studies
from tunefast.store.database import Database
from tunefast.store.rows import EXTRAPOLATED
from tunefast.store.snapshot import snapshot

TARGET = {"metric": "val_accuracy", "value": 0.9, "startup_trials": 1}


def race(database: Database, metric: str = "seconds_to_target", **settings: Any) -> LiveStudy:
    """A new study that races to 90 %, live."""
    target = {**TARGET, **settings.pop("target", {})}
    studies.create(database, study_spec(metric=metric, target=target, **settings))
    return LiveStudy(database, STUDY)


def run(live: LiveStudy, curve: list[float], seconds: float = 1.0, running: Running | None = None) -> Answer:
    """Train a trial that reports this curve, an epoch in so many seconds and 10 steps; does as it is told."""
    running = running or claimed(live)
    answer = Answer(verdict=Verdict.CONTINUE)
    for epoch, value in enumerate(curve, start=1):
        metrics = {"val_accuracy": value, "loss": 1.0}
        answer = live.report(
            running.number, EpochReport(epoch=epoch, metrics=metrics, train_seconds=seconds, eval_seconds=9.0, steps=10)
        )
        if answer.verdict is not Verdict.CONTINUE:
            break
    ending = Ending.PRUNED if answer.verdict is Verdict.PRUNE else Ending.COMPLETE
    live.finish(running.number, Outcome(ending=ending, reason=answer.reason, kept_epoch=epoch))
    return answer


def test_who_does_not_report_the_target_fails(database: Database) -> None:
    """As in any other study: a trial fails whose reports lack the metric that is raced to, or that reports nothing."""
    live = race(database)
    running = claimed(live)
    answer = live.report(running.number, EpochReport(epoch=1, metrics={"accuracy": 0.5}, train_seconds=1.0))
    assert answer.verdict is Verdict.STOP
    live.finish(running.number, Outcome(ending=Ending.COMPLETE, reason=answer.reason, kept_epoch=1))
    live.finish(claimed(live).number, Outcome(ending=Ending.COMPLETE))
    live.finish(claimed(live).number, Outcome(ending=Ending.PRUNED, reason="by hand"))
    trials = stock_trials(database.path)
    assert [trial.state.name for trial in trials] == ["FAIL", "FAIL", "PRUNED"]
    assert [trial.user_attrs.get("error") for trial in trials[:2]] == [
        "'val_accuracy' is not among the reported metrics: accuracy",
        "it ended without reporting 'val_accuracy'",
    ]


def test_a_trial_ends_the_moment_it_is_there(database: Database) -> None:
    """Its value is the training seconds until then, without evaluation; the study goes on for a faster one."""
    live = race(database)
    answer = run(live, [0.5, 0.8, 0.92, 0.99])
    assert (answer.verdict, answer.reason) == (Verdict.STOP, "target")
    assert stock_trials(database.path)[0].values == [3.0]
    assert live.claim() is not None


@pytest.mark.parametrize(("metric", "value"), [("steps_to_target", 30.0), ("seconds_to_target", 3.0)])
def test_what_is_counted(database: Database, metric: str, value: float) -> None:
    """A race is by seconds or by steps."""
    live = race(database, metric)
    run(live, [0.5, 0.8, 0.92])
    assert stock_trials(database.path)[0].values == [value]


def test_who_has_spent_more_than_the_best_is_stopped(database: Database) -> None:
    """It cannot win; it is pruned without intermediate values or a value, and the numbers are kept."""
    live = race(database)
    run(live, [0.5, 0.8, 0.92])
    answer = run(live, [0.85, 0.88, 0.89], seconds=2.0)
    assert (answer.verdict, answer.reason) == (Verdict.PRUNE, "race")
    trial = stock_trials(database.path)[1]
    assert (trial.state, trial.values, trial.intermediate_values) == (TrialState.PRUNED, None, {})
    last = snapshot(database.path, STUDY).epochs[-1]
    assert (last["epoch"], last["details"][SPENT], last["details"][BEST]) == (2, 4.0, 3.0)


def test_who_will_not_get_there_in_time_is_stopped(database: Database) -> None:
    """A curve that gains too little for the time that is left ends by its forecast, with what it would have needed."""
    live = race(database, recipe={"epochs": 20})
    run(live, [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.88, 0.89, 0.92])
    answer = run(live, [0.1, 0.11, 0.12, 0.13])
    assert (answer.verdict, answer.reason) == (Verdict.PRUNE, "race")
    details = snapshot(database.path, STUDY).epochs[-1]["details"]
    assert details[SPENT] < details[BEST]
    assert details[NEEDED] > 0.13


def test_who_may_still_win_goes_on(database: Database) -> None:
    """A slower start is no reason to stop where others gained as much from there."""
    live = race(database, recipe={"epochs": 10})
    run(live, [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.88, 0.89, 0.92])
    answer = run(live, [0.25, 0.5, 0.7, 0.8, 0.85, 0.91])
    assert answer.verdict is Verdict.STOP
    assert live.tally.best == (1, 6.0)


def test_who_never_gets_there_is_no_result(database: Database) -> None:
    """A trial that trained to its end short of the target is pruned, with what it would have cost, and never best."""
    live = race(database)
    run(live, [0.5, 0.6, 0.7, 0.8])
    trial = stock_trials(database.path)[0]
    assert (trial.state, trial.user_attrs["reason"]) == (TrialState.PRUNED, "missed")
    assert trial.user_attrs[EXTRAPOLATED] == pytest.approx(4 * 2**0.5)
    assert live.tally.best is None


def test_samplers_see_what_it_would_have_cost(database: Database) -> None:
    """Stopped trials look complete to samplers, at no less than the best one; also after a restart."""
    live = race(database, sampler={"name": "tpe"}, target={"startup_trials": 9})
    run(live, [0.5, 0.6, 0.7, 0.8])
    run(live, [0.5, 0.95], seconds=20)
    run(live, [0.1, 0.1, 0.1], seconds=15)
    for study in (live, LiveStudy(database, STUDY)):
        seen = study.storage.get_all_trials(study.storage.study_id)
        assert [trial.state for trial in seen] == [TrialState.COMPLETE] * 3
        assert [trial.values[0] for trial in seen[:2]] == [40.0, 40.0]
        assert seen[2].values[0] > 1000
        assert study.storage.all_trials()[0].state == TrialState.PRUNED


def test_the_budget_of_a_race(database: Database) -> None:
    """The study ends as soon as a trial gets to the target for no more than the budget's target."""
    live = race(database, budget={"trials": 9, "target": 2.5})
    run(live, [0.5, 0.8, 0.92])
    assert live.end is None
    run(live, [0.5, 0.91])
    assert live.end is End.TARGET


def test_a_restart_forgets_nothing(database: Database) -> None:
    """A trial goes on with what it has spent, against the best one, after its coordinator was killed."""
    live = race(database)
    run(live, [0.5, 0.8, 0.92])
    running = claimed(live)
    for epoch in (1, 2):
        said = EpochReport(epoch=epoch, metrics={"val_accuracy": 0.88}, train_seconds=1.4)
        assert live.report(running.number, said).verdict is Verdict.CONTINUE
    live.flush()
    live = LiveStudy(database, STUDY)
    running = claimed(live)
    said = EpochReport(epoch=3, metrics={"val_accuracy": 0.89}, train_seconds=1.4)
    assert live.report(running.number, said).reason == "race"


def test_nobody_is_stopped_where_that_is_off(database: Database) -> None:
    """With `stops = false` a trial goes on, though it cannot win: to compare recipes that are all of interest."""
    live = race(database, target={"stops": False})
    run(live, [0.5, 0.92])
    run(live, [0.5, 0.6, 0.7, 0.95])
    assert [trial.values for trial in stock_trials(database.path)] == [[2.0], [4.0]]


def test_a_target_whose_name_says_no_way(database: Database) -> None:
    """The target says which way is better, where its metric's name does not, and is believed where that does."""
    live = race(database, target={"metric": "perplexity", "value": 3.0, "direction": "minimize"})
    for epoch, value, verdict in ((1, 9.0, Verdict.CONTINUE), (2, 2.5, Verdict.STOP)):
        said = EpochReport(epoch=epoch, metrics={"perplexity": value}, train_seconds=1.0)
        running = live.running[0] if live.running else claimed(live)
        assert live.report(running.number, said).verdict is verdict
    live.finish(0, Outcome(ending=Ending.COMPLETE, reason="target", kept_epoch=2))
    assert stock_trials(database.path)[0].values == [2.0]
    against = Target(metric="val_loss", value=3.0, direction="maximize")
    assert StudySection(name="a", metric="steps_to_target", target=against).curve_maximize


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0.1, 100), st.floats(0, 1))
def test_extrapolated_costs(curve: list[float], spent: float, target: float) -> None:
    """What a trial would have cost is finite, and no less than it has spent; with more reached it is never more."""
    costs = extrapolated(dict(enumerate(curve, start=1)), spent, target, maximize=True)
    assert costs is not None
    assert math.isfinite(costs)
    assert costs >= spent
    if max(curve) >= target:
        assert costs == spent


def test_flat_curves_are_ranked_by_what_they_lack() -> None:
    """Of trials that gain nothing the one nearer to the target is ahead."""
    near, far = ({1: value, 2: value} for value in (0.8, 0.3))
    assert extrapolated(near, 1, 0.9, maximize=True) < extrapolated(far, 1, 0.9, maximize=True)  # type: ignore[operator]
    assert extrapolated({1: math.nan}, 1, 0.9, maximize=True) is None


@given(st.lists(st.floats(0, 2), min_size=2, max_size=20), st.floats(0, 2), st.floats(0.01, 3))
def test_who_will_get_there_is_never_stopped_by_a_forecast(curve: list[float], value: float, best: float) -> None:
    """A trial on the same curve as one that got there for less than the best is not stopped before it is there."""
    falling = [max(curve[: index + 1]) for index in range(len(curve))]
    rule = RaceRule(Target(metric="val_accuracy", value=value, startup_trials=1), maximize=True)
    rule.learn(Curve(0, dict(enumerate(falling, start=1)), len(falling), complete=True))
    for epoch, now in enumerate(falling, start=1):
        if now >= value or falling[-1] < value:
            break
        standing = Standing(1, epoch, now, now, len(falling), 0, falling[max(1, epoch // 2) - 1])
        assert rule.judge(standing, best * epoch / len(falling) * 0.99, best).stop is None


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"metric": "val_accuracy"}, "target: goes with metric = 'seconds_to_target' or"),
        ({"metric": ["seconds_to_target", "steps"]}, "target: goes with metric = "),
        ({"metric": "steps_to_target", "direction": "maximize"}, "won by whoever takes least"),
        (
            {"metric": "steps_to_target", "target": {"metric": "perplexity", "value": 3.0}},
            r"direction is missing, and the name 'perplexity' does not say which way is better: give direction = \"max",
        ),
        ({"metric": "steps_to_target", "pruner": {"name": "median", "metric": "val_loss"}}, "by its target's metric"),
        ({"metric": "flops_to_target"}, "operations are known of tunefast's own training only"),
    ],
)
def test_refused(settings: dict[str, Any], problem: str) -> None:
    """What is no race is refused in words."""
    with pytest.raises(ValidationError, match=problem):
        study_spec(**{"target": TARGET, **settings})


def test_no_other_pruner_unless_given() -> None:
    """A race stops who cannot win, and nobody else; the default pruner would stop who is not the most accurate."""
    table = {"name": "a", "metric": "seconds_to_target", "target": TARGET}
    assert StudySection.model_validate(table).pruner.name == "none"
    assert StudySection.model_validate({**table, "pruner": {"name": "median"}}).pruner.name == "median"
