"""Constrained studies: what becomes of trials that violate a constraint, and what samplers and stock Optuna see."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from tests.search.playing import claimed, finish, report
from tests.store.databases import STUDY, stock_trials, study_spec
from tunefast.search.budget import End
from tunefast.search.live import LiveStudy
from tunefast.search.running import Running
from tunefast.spec.progress import Answer, Ending, EpochReport, Verdict
from tunefast.spec.study import StudySpec
from tunefast.store import studies
from tunefast.store.database import Database
from tunefast.store.engine import file_url
from tunefast.store.rows import state_word
from tunefast.store.snapshot import snapshot


def constrained(database: Database, constraints: dict[str, str], **settings: Any) -> LiveStudy:
    """A new study under constraints, live."""
    spec = study_spec(metric="val_accuracy", **settings)
    studies.create(database, StudySpec.model_validate({**spec.model_dump(), "constraints": constraints}))
    return LiveStudy(database, STUDY)


def said(
    live: LiveStudy, running: Running, epoch: int, accuracy: float, parameters: float = 10, **more: float
) -> Answer:
    """Report an epoch of a model with so many parameters."""
    metrics = {"val_accuracy": accuracy, **more}
    details = {"num_parameters": parameters} if epoch == 1 else {}
    return live.report(running.number, EpochReport(epoch=epoch, metrics=metrics, details=details))


def test_too_much_for_ever_ends_at_once(database: Database) -> None:
    """A trial whose model is too large ends with its first report, as infeasible, and counts for the budget."""
    live = constrained(database, {"num_parameters": "< 1e3"}, budget={"trials": 2})
    running = claimed(live)
    answer = said(live, running, 1, 0.9, parameters=2000)
    assert (answer.verdict, answer.reason) == (Verdict.PRUNE, "constraint: num_parameters = 2000, allowed < 1000")
    finish(live, running, Ending.PRUNED, reason=answer.reason)
    running = claimed(live)
    assert said(live, running, 1, 0.5).verdict is Verdict.CONTINUE
    finish(live, running)
    assert live.claim() is None
    assert live.tally.counts == {"infeasible": 1, "complete": 1}
    large, small = stock_trials(database.path)
    assert (large.state, large.constraints) == (TrialState.PRUNED, {"num_parameters": 1.0})
    assert (small.state, small.constraints) == (TrialState.COMPLETE, {"num_parameters": -0.99})


def test_infeasible_is_never_best(database: Database) -> None:
    """A complete trial that violates a constraint is infeasible to us, and no best trial to us or to stock Optuna."""
    live = constrained(database, {"val_loss": "< 0.5"}, budget={"trials": 3, "target": 0.8})
    for accuracy, loss in ((0.9, 0.7), (0.6, 0.4), (0.5, 0.1)):
        running = claimed(live)
        assert said(live, running, 1, accuracy, val_loss=loss).verdict is Verdict.CONTINUE
        finish(live, running)
    assert live.end is End.TRIALS
    assert live.tally.best == (1, 0.6)
    ours = snapshot(database.path, STUDY)
    assert ours.best is not None
    assert ours.best.number == 1
    assert [state_word(trial) for trial in ours.trials] == ["infeasible", "complete", "complete"]
    assert optuna.load_study(study_name=STUDY, storage=str(file_url(database.path))).best_trial.number == 1
    assert LiveStudy(database, STUDY).tally.best == (1, 0.6)


def test_a_stopped_trial_may_still_have_got_better(database: Database) -> None:
    """A trial that the pruner stops is no infeasible one because of a metric that it had no time to reach."""
    live = constrained(database, {"val_loss": "< 0.5"}, pruner={"name": "threshold", "lower": 0.5})
    running = claimed(live)
    assert said(live, running, 1, 0.1, val_loss=0.9).verdict is Verdict.PRUNE
    finish(live, running, Ending.PRUNED, reason="pruner")
    assert live.tally.counts == {"pruned": 1}
    assert stock_trials(database.path)[0].constraints == {}


@pytest.mark.parametrize("sampler", ["tpe", "gp", "nsga2", "qmc"])
@pytest.mark.parametrize("metric", ["val_accuracy", ["val_accuracy", "steps"]], ids=["one", "several"])
def test_samplers_keep_to_constraints(database: Database, sampler: str, metric: str | list[str]) -> None:
    """Samplers that know constraints go on with trials of every ending, and draw mostly where they hold."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    options = {"population": 5} if sampler == "nsga2" else {} if sampler == "qmc" else {"startup_trials": 6}
    spec = study_spec(metric=metric, sampler={"name": sampler, **options}, budget={"trials": 30})
    studies.create(database, StudySpec.model_validate({**spec.model_dump(), "constraints": {"val_loss": "< 0.5"}}))
    live = LiveStudy(database, STUDY)
    for index in range(30):
        running = claimed(live)
        x = float(live.storage.get_trial(running.trial_id).params["params.x"])
        report(live, running, 1, x, val_loss=x)  # the better, the less feasible
        ending = {4: Ending.FAILED, 7: Ending.INFEASIBLE}.get(index, Ending.COMPLETE)
        finish(live, running, ending, error="bad", reason="out of memory" if ending is Ending.INFEASIBLE else "")
    late = [trial.params["params.x"] for trial in stock_trials(database.path)[15:]]
    if sampler in ("tpe", "gp"):
        assert sum(x < 0.51 for x in late) > len(late) / 2
