"""Asking for new trials, from a grid or from a sampler."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from tests.search.playing import live_study, play
from tests.store.databases import STUDY, mirrored, stock_study, stock_trials, study_spec
from tunefast.search.asking import Asker
from tunefast.search.live import LiveStudy
from tunefast.spec.study import StudySpec
from tunefast.store import studies
from tunefast.store.database import Database

SPACE: dict[str, Any] = {
    "params.kind": {"choices": ["plain", "deep"]},
    "params.depth": {"low": 1, "high": 3, "when": {"params.kind": "deep"}},
    "params.rate": {"low": 0.0, "high": 0.4, "step": 0.2},
}
SAMPLERS: dict[str, dict[str, Any]] = {
    "random": {"name": "random"},
    "tpe": {"name": "tpe", "startup_trials": 3},
    "grid": {"name": "grid"},
}


def created(database: Database, sampler: str) -> StudySpec:
    """A new study's spec."""
    spec = study_spec(space=SPACE, sampler=SAMPLERS[sampler])
    studies.create(database, spec)
    return spec


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_new_trial_has_all_of_its_params(database: Database, sampler: str) -> None:
    """Its settings are in memory at once, and in the database as stock Optuna reads them with the next group."""
    spec, storage = created(database, sampler), mirrored(database)
    trial = Asker(spec, storage).new()
    assert {"params.kind", "params.rate"} <= trial.params.keys() <= SPACE.keys()
    assert ("params.depth" in trial.params) == (trial.params["params.kind"] == "deep")
    storage.flush()
    [theirs] = stock_trials(database.path)
    assert (theirs.params, theirs.distributions) == (trial.params, trial.distributions)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_trial_whose_coordinator_died_while_it_asked(database: Database, sampler: str) -> None:
    """A trial with a row and no settings gets those that it would have had; one that has them keeps them."""
    spec = created(database, sampler)
    expected = Asker(spec, mirrored(database)).new()
    studies.delete(database, STUDY)
    studies.create(database, spec)
    storage = mirrored(database)
    storage.create_new_trial(storage.study_id)
    [born_dead] = storage.get_all_trials(storage.study_id)
    asker = Asker(spec, storage)
    completed = asker.completed(born_dead)
    assert (completed.number, completed.params) == (0, expected.params)
    assert asker.completed(completed) == completed
    assert asker.new().number == 1


def test_a_study_without_a_space(database: Database) -> None:
    """Where nothing is searched, trials have no settings, and need none."""
    spec = study_spec(space={})
    studies.create(database, spec)
    asker = Asker(spec, mirrored(database))
    trial = asker.new()
    assert trial.params == {}
    assert asker.completed(trial) is trial
    assert not asker.exhausted


def test_a_grid_is_exhausted_once(database: Database) -> None:
    """Every cell is given to one trial, over restarts, and then there is nothing left to ask for."""
    spec = created(database, "grid")
    given: list[dict[str, Any]] = []
    for session in (3, 4, 5):
        storage = mirrored(database)
        asker = Asker(spec, storage)
        for _ in range(session):
            assert not asker.exhausted
            given.append(asker.new().params)
        storage.flush()
    assert len({repr(sorted(params.items())) for params in given}) == spec.num_cells == 12
    assert Asker(spec, mirrored(database)).exhausted


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_restart_draws_what_an_uninterrupted_study_draws(database: Database, sampler: str) -> None:
    """What trial N gets depends on the seed, N and the results so far, and not on when the coordinator started."""

    def session(live: LiveStudy, count: int) -> list[dict[str, Any]]:
        params = []
        for _ in range(count):
            trial = live.storage.get_trial(play(live, [0.5]).trial_id)
            params.append(trial.params)
        return params

    settings = {"space": SPACE, "sampler": SAMPLERS[sampler], "budget": {"trials": 9}}
    whole = session(live_study(database, **settings), 9)
    studies.delete(database, STUDY)
    first = live_study(database, **settings)
    parts = session(first, 4)
    for count in (1, 4):
        parts += session(LiveStudy(database, STUDY), count)
    assert parts == whole


@pytest.mark.filterwarnings("ignore:Fixed parameter")
@pytest.mark.parametrize("params", [{"params.kind": "unheard of"}, {"params.rate": "x"}, {"epochs": -3}])
def test_an_enqueued_trial_that_makes_no_recipe_fails(database: Database, params: dict[str, Any]) -> None:
    """What somebody enqueued may be nonsense: that trial fails with the reason, now and when it was left behind."""
    spec = study_spec(space={**SPACE, "epochs": {"low": 1, "high": 5}})
    studies.create(database, spec)
    with stock_study(database.path) as study:
        study.enqueue_trial(params)
        study.enqueue_trial(params)
        study.ask()
    storage = mirrored(database)
    asker = Asker(spec, storage)
    left_behind = asker.completed(storage.get_all_trials(storage.study_id)[0])
    claimed = asker.new()
    assert (left_behind.number, claimed.number) == (0, 1)
    storage.flush()
    for trial in stock_trials(database.path):
        assert trial.state is TrialState.FAIL
        assert trial.user_attrs["error"]
    assert asker.new().state is TrialState.RUNNING


def test_an_enqueued_trial_is_completed(database: Database) -> None:
    """Settings that somebody enqueued are taken, and the others are drawn."""
    spec = created(database, "random")
    with stock_study(database.path) as study:
        study.enqueue_trial({"params.kind": "deep", "params.depth": 2})
    trial = Asker(spec, mirrored(database)).new()
    assert (trial.number, trial.params["params.kind"], trial.params["params.depth"]) == (0, "deep", 2)
    assert trial.params["params.rate"] in (0.0, 0.2, 0.4)
    assert isinstance(trial.distributions["params.rate"], optuna.distributions.FloatDistribution)
