"""Studies with several objectives: every sampler that takes them, pruning, restarts, and what stock Optuna reads."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from pydantic import ValidationError

from tests.search.playing import claimed, finish, live_study, report
from tests.store.databases import STUDY, stock_trials, study_spec
from tunefast.search.live import LiveStudy
from tunefast.spec.progress import Ending, Verdict
from tunefast.spec.study_section import StudySection
from tunefast.store.database import Database
from tunefast.store.engine import file_url
from tunefast.store.snapshot import snapshot

TWO = ["val_accuracy", "train_seconds"]
SAMPLERS: list[dict[str, Any]] = [
    {"name": "random"},
    {"name": "tpe", "startup_trials": 4},
    {"name": "gp", "startup_trials": 4},
    {"name": "qmc"},
    {"name": "nsga2", "population": 4},
    {"name": "grid"},
]
GRID = {"params.x": {"choices": [1, 2, 3, 4]}, "params.y": {"choices": [1, 2, 3, 4]}}
RANGES = {"params.x": {"low": 0.0, "high": 1.0}, "params.y": {"low": 0.0, "high": 1.0}}


def _median(**options: Any) -> dict[str, Any]:
    return {"name": "median", "startup_trials": 2, "warmup_epochs": 0, **options}


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: str(sampler["name"]))
def test_every_sampler_that_takes_them(database: Database, sampler: dict[str, Any]) -> None:
    """It asks for all trials, also after pruned, infeasible and failed ones and a restart; Optuna reads both values."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = GRID if sampler["name"] == "grid" else RANGES
    live = live_study(database, metric=TWO, sampler=sampler, pruner=_median(), space=space, budget={"trials": 14})
    for index in range(14):
        if index == 9:
            live.flush()
            live = LiveStudy(database, STUDY)
        running = claimed(live)
        verdicts = [report(live, running, epoch, (index % 5) / 10 + epoch / 100).verdict for epoch in (1, 2)]
        ending = Ending.PRUNED if Verdict.PRUNE in verdicts else Ending.COMPLETE
        ending = {5: Ending.INFEASIBLE, 6: Ending.FAILED}.get(index, ending)
        finish(live, running, ending, reason="pruner" if ending is Ending.PRUNED else "", error="bad")
    assert live.claim() is None
    trials = stock_trials(database.path)
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    assert len(trials) == 14
    assert len(complete) >= 6
    assert all(trial.values == [pytest.approx((trial.number % 5) / 10 + 0.02), 1.0] for trial in complete)
    assert any(trial.state == TrialState.PRUNED for trial in trials)
    assert not any(trial.intermediate_values for trial in trials)


def test_stock_optuna_knows_directions_and_front(database: Database) -> None:
    """Its study has the metrics' names, a direction each, and the same Pareto front as ours."""
    live = live_study(database, metric=TWO, budget={"trials": 6})
    for index, accuracy in enumerate([0.5, 0.9, 0.7, 0.9, 0.2, 0.6]):
        running = claimed(live)
        for epoch in range(1, 3 if index % 2 else 2):
            report(live, running, epoch, accuracy)
        finish(live, running)
    study = optuna.load_study(study_name=STUDY, storage=str(file_url(database.path)))
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.metric_names == TWO
    ours = snapshot(database.path, STUDY)
    assert {trial.number for trial in ours.front} == {trial.number for trial in study.best_trials} == {1, 2, 3}
    assert ours.best is not None
    assert ours.best.number == 1
    assert live.tally.best == (1, 0.9)


def test_pruned_by_the_metric_that_the_pruner_names(database: Database) -> None:
    """Trials are compared by a metric that is none of the objectives, also by a study that was opened again."""
    live = live_study(database, metric="val_accuracy", pruner=_median(metric="val_loss"))
    for loss in (0.2, 0.4):
        running = claimed(live)
        for epoch in (1, 2, 3):
            report(live, running, epoch, 0.5, val_loss=loss)
        finish(live, running)
    live.flush()
    live = LiveStudy(database, STUDY)
    running = claimed(live)
    assert report(live, running, 1, 0.1, val_loss=0.25).verdict is Verdict.CONTINUE
    assert report(live, running, 2, 0.9, val_loss=0.25).verdict is Verdict.CONTINUE
    running = claimed(live)
    answer = report(live, running, 1, 0.99, val_loss=0.5)
    assert (answer.verdict, answer.reason) == (Verdict.PRUNE, "pruner")
    finish(live, running, Ending.PRUNED, reason="pruner")
    assert not stock_trials(database.path)[running.number].intermediate_values  # they would be ranked by another metric


def test_costs_are_counted_over_attempts(database: Database) -> None:
    """An epoch that was trained twice since its worker died counts once, also after a restart."""
    live = live_study(database, metric=[*TWO, "steps"])
    running = claimed(live)
    for epoch in (1, 2, 3):
        report(live, running, epoch, 0.5)
    live.release(running.number, "its worker died")
    live.flush()
    live = LiveStudy(database, STUDY)
    running = claimed(live)
    for epoch in (2, 3, 4):
        report(live, running, epoch, 0.6)
    finish(live, running)
    assert stock_trials(database.path)[0].values == [0.6, 4 * 0.5, 0]


def test_what_was_never_said_fails(database: Database) -> None:
    """A trial that completes without one of its objectives has failed, and its error names it."""
    live = live_study(database, metric=["val_accuracy", "num_parameters"])
    running = claimed(live)
    report(live, running, 1, 0.5)
    finish(live, running)
    trial = stock_trials(database.path)[0]
    assert trial.state == TrialState.FAIL
    assert "'num_parameters'" in trial.user_attrs["error"]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"metric": []}, "metric is empty"),
        ({"metric": ["val_loss", "val_loss"]}, "names one twice"),
        ({"metric": ["val_loss", "perplexity"]}, "'perplexity' does not say which way is better"),
        ({"metric": TWO, "direction": "maximize"}, "direction: 1 for 2 metrics"),
        ({"metric": TWO, "direction": ["maximize"]}, "direction: 1 for 2 metrics"),
        ({"metric": TWO, "sampler": {"name": "cmaes"}}, "cmaes optimises one metric"),
        ({"metric": ["train_seconds", "num_parameters"]}, "train_seconds grows in every trial"),
        ({"metric": TWO, "pruner": {"name": "median", "metric": "perplexity"}}, "pruner: the name 'perplexity'"),
        ({"metric": TWO, "recipe": {"style": "optuna"}}, "an objective for Optuna returns one value"),
    ],
)
def test_refused(settings: dict[str, Any], problem: str) -> None:
    """What cannot be optimised, or compared by, is refused in words."""
    with pytest.raises(ValidationError, match=problem):
        study_spec(**settings)


def test_no_pruner_unless_given() -> None:
    """A trial that is bad in one objective may be good in another: nobody is stopped by default."""
    assert StudySection.model_validate({"name": "a", "metric": TWO}).pruner.name == "none"
    assert StudySection.model_validate({"name": "a", "metric": ["val_loss"]}).pruner.name == "safe"


def test_directions_of_each() -> None:
    """Directions follow the names, or are given one by one."""
    assert study_spec(metric=TWO).study.maximizes == [True, False]
    given = study_spec(metric=["perplexity", "num_parameters"], direction=["minimize", "minimize"])
    assert given.study.maximizes == [False, False]
    assert study_spec(metric=["train_seconds", "val_accuracy"]).study.curve_metric == "val_accuracy"
