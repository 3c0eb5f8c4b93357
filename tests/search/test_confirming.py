"""What a confirmation trains."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import optuna
import pytest

from tests.search.playing import claimed, live_study, play
from tests.store.databases import STUDY, prepared, stock, study_spec
from tunefast.errors import UserError
from tunefast.recipe.own_training import ObjectiveRecipe
from tunefast.run.commands import confirm_study, create_study, delete_study, edit_study, execute
from tunefast.run.messages import Command
from tunefast.search.confirmed import confirmed
from tunefast.search.confirming import MAX_SEED, confirmation_spec, new_seeds, ranking
from tunefast.search.live import LiveStudy
from tunefast.store import studies
from tunefast.store.database import Database
from tunefast.store.rows import settings_of
from tunefast.store.snapshot import StudySnapshot, confirmation, snapshot, study_names

FLOATS = optuna.distributions.FloatDistribution(0.0, 1.0)

pytestmark = pytest.mark.usefixtures("runtime")


def _searched(path: Path, values: list[float], **settings: Any) -> StudySnapshot:
    """A study whose trials had these values, one epoch each."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    database = prepared(path)
    live = live_study(database, direction="maximize", **settings)
    for value in values:
        play(live, [value])
    database.close()
    return snapshot(path, STUDY)


def _confirming(path: Path) -> StudySnapshot:
    found = confirmation(path, snapshot(path, STUDY))
    assert found is not None
    return found


def _confirm(path: Path, top: int, seeds: int) -> list[dict[str, Any]]:
    """The settings of the runs of the confirmation, after it was asked for that many."""
    study = snapshot(path, STUDY)
    confirm_study(path, study, confirmation_spec(study, top, seeds))
    return [settings_of(trial) for trial in _confirming(path).trials]


def _trained(path: Path) -> None:
    """Train what waits in the confirmation."""
    database = Database(path)
    live = LiveStudy(database, f"{STUDY}.confirm")
    while not all(trial.state.is_finished() for trial in live.storage.all_trials()):
        play(live, [0.5])
    database.close()


def test_the_best_trials_on_each_seed_in_turn(tmp_path: Path) -> None:
    """The runs have the best trials' settings, all on the first new seed, then all on the second; none is pruned."""
    path = tmp_path / "a.db"
    study = _searched(path, [0.1, 0.9, 0.5, 0.8], pruner={"name": "median"})
    spec = confirmation_spec(study, 2, 3)
    assert [trial.number for trial in ranking(study)] == [1, 3, 2, 0]
    seeds = list(islice(new_seeds(study), 3))
    best = [study.trials[1].params, study.trials[3].params]
    assert spec.enqueue == [{**params, "seed": seed} for seed in seeds for params in best]
    assert (spec.study.pruner.name, spec.study.sampler.name, spec.study.name) == ("none", "random", "study.confirm")
    assert spec.budget.model_dump(exclude_none=True) == {"trials": 6}
    assert spec.recipe == study.spec.recipe
    assert isinstance(recipe := spec.recipe_for(spec.enqueue[0]), ObjectiveRecipe)  # type: ignore[arg-type]
    assert spec.trial_seed(0, recipe) == seeds[0]


def test_new_seeds_are_new(tmp_path: Path) -> None:
    """No trial of the study had one, not one of the recipe's own either; more of them begin the same."""
    path = tmp_path / "a.db"
    study = _searched(path, [0.1, 0.2], space={"seed": {"choices": [1, 2]}})
    first = list(islice(new_seeds(study), 4))
    assert len({*first, *(trial.params["seed"] for trial in study.trials)}) == 6
    assert all(0 <= seed <= MAX_SEED for seed in first)
    attempts = [{**row, "seed": first[1]} for row in study.attempts]
    clashing = StudySnapshot(**{**vars(study), "attempts": attempts})
    assert list(islice(new_seeds(clashing), 3)) == [first[0], first[2], first[3]]


def test_a_searched_seed_makes_no_other_recipe(tmp_path: Path) -> None:
    """Trials that differ in their seed alone are one recipe, of which the best counts."""
    space = {"seed": {"low": 0, "high": 1000}, "params.x": {"choices": ["a"]}}
    study = _searched(tmp_path / "a.db", [0.1, 0.9, 0.5], space=space)
    assert [trial.number for trial in ranking(study)] == [1]
    assert len(confirmation_spec(study, 3, 2).enqueue) == 2


def test_what_is_missing_is_added(tmp_path: Path) -> None:
    """More seeds or trials are queued behind what there is; what was asked for before is not queued again."""
    path = tmp_path / "a.db"
    _searched(path, [0.1, 0.9, 0.5])
    first = _confirm(path, 2, 2)
    assert _confirm(path, 2, 2) == first
    _trained(path)
    assert [trial.state.name for trial in _confirming(path).trials] == ["COMPLETE"] * 4
    assert _confirming(path).is_used_up
    more = _confirm(path, 3, 3)
    assert more[:4] == first
    assert len(more) == 9 == len({tuple(sorted(point.items())) for point in more})
    assert _confirming(path).spec.budget.trials == 9
    assert len(_confirm(path, 1, 1)) == 9


def test_more_while_it_is_trained(tmp_path: Path) -> None:
    """A coordinator at work trains what is added too, and its study cannot be deleted under it."""
    path = tmp_path / "a.db"
    study = _searched(path, [0.1, 0.9])
    _confirm(path, 1, 2)
    database = Database(path)
    live = LiveStudy(database, f"{STUDY}.confirm")
    play(live, [0.5])
    running = claimed(live)
    spec = confirmation_spec(study, 2, 3)
    argument = {"spec": spec.model_dump(mode="json"), "confirmed": study.uuid}
    for _ in range(2):
        execute(database, Command(verb="confirm", study=live.name, argument=argument), {live.name: live})
    with pytest.raises(UserError, match=r"'study\.confirm' is being worked on"):
        execute(database, Command(verb="delete", study=STUDY), {live.name: live})
    play(live, [0.5], running)
    for _ in range(4):
        play(live, [0.5])
    assert live.claim() is None
    assert live.finished
    database.close()
    points = [settings_of(trial) for trial in _confirming(path).trials]
    assert all(trial.value == 0.5 for trial in _confirming(path).trials)
    assert {frozenset(point.items()) for point in points} == {
        frozenset(point.items()) for point in spec.enqueue if isinstance(point, dict)
    }
    assert len(points) == 6


def test_several_objectives(tmp_path: Path) -> None:
    """The first one ranks the trials, before and after, in its own direction."""
    path = tmp_path / "a.db"
    database = prepared(path)
    live = live_study(database, metric=["loss", "train_seconds"])
    for value in (0.3, 0.1):
        play(live, [value])
    database.close()
    study = snapshot(path, STUDY)
    assert [trial.number for trial in ranking(study)] == [1, 0]
    _confirm(path, 2, 1)
    database = Database(path)
    live = LiveStudy(database, f"{STUDY}.confirm")
    for value in (0.4, 0.2):
        play(live, [value])
    database.close()
    found = confirmed(snapshot(path, STUDY), _confirming(path))
    assert (found.order, found.searched_order) == ([0, 1], [1, 0])
    assert found.winner is not None
    assert (found.winner.trial, found.winner.mean, found.winner.searched) == (0, 0.2, 0.3)


def test_a_race(tmp_path: Path) -> None:
    """No run is stopped because it cannot win, which would leave the mean without the slow ones."""
    path = tmp_path / "a.db"
    database = prepared(path)
    race: dict[str, Any] = {"metric": "steps_to_target", "target": {"metric": "val_accuracy", "value": 0.5}}
    studies.create(database, study_spec(**race))
    database.close()
    trial = optuna.create_trial(value=3.0, params={"params.x": 0.5}, distributions={"params.x": FLOATS})
    optuna.load_study(study_name=STUDY, storage=f"sqlite:///{path}").add_trial(trial)
    target = confirmation_spec(snapshot(path, STUDY), 1, 1).study.target
    assert target is not None
    assert (target.value, target.stops) == (0.5, False)


def test_a_narrowed_space(tmp_path: Path) -> None:
    """Trials outside of what is searched now are confirmed too, and to stock Optuna all runs are of one space."""
    path = tmp_path / "a.db"
    study = _searched(path, [0.1, 0.9, 0.5])
    _confirm(path, 1, 1)
    _trained(path)
    edit_study(path, STUDY, {"space.params.x.high": 1e-9})
    _confirm(path, 3, 1)
    _trained(path)
    stock = optuna.load_study(study_name=f"{STUDY}.confirm", storage=f"sqlite:///{path}")
    assert [trial.params["params.x"] for trial in stock.trials] == [
        trial.params["params.x"] for trial in ranking(study)
    ]
    assert set(optuna.search_space.intersection_search_space(stock.trials)) == {"params.x", "seed"}


def test_a_study_that_was_made_anew(tmp_path: Path) -> None:
    """A confirmation is of one study, not of the next one of its name; it goes where its study goes."""
    path = tmp_path / "a.db"
    _searched(path, [0.1])
    _confirm(path, 1, 2)
    optuna.delete_study(study_name=STUDY, storage=f"sqlite:///{path}")
    create_study(path, study_spec())
    database = Database(path)
    play(LiveStudy(database, STUDY), [0.5])
    database.close()
    assert confirmation(path, snapshot(path, STUDY)) is None
    with pytest.raises(UserError, match=r"confirms an earlier study of that name.* study delete study\.confirm"):
        _confirm(path, 1, 1)
    delete_study(path, f"{STUDY}.confirm")
    _confirm(path, 1, 1)
    delete_study(path, STUDY)
    assert study_names(path) == {}


@pytest.mark.parametrize(
    ("values", "space", "problem"),
    [
        ([], None, "has no complete trial yet"),
        ([0.5], {"seed": {"choices": [1]}, "params.x": {"low": 0.0, "high": 1.0, "when": {"seed": 1}}}, "by its seed"),
    ],
)
def test_what_cannot_be_confirmed(tmp_path: Path, values: list[float], space: Any, problem: str) -> None:
    """A study without a complete trial, or whose settings depend on its seed."""
    study = _searched(tmp_path / "a.db", values, space=space)
    with pytest.raises(UserError, match=problem):
        confirmation_spec(study, 1, 1)


def test_a_confirmation_is_not_confirmed(tmp_path: Path) -> None:
    """Nor is a study of the user's own that has the name of one taken for one."""
    path = tmp_path / "a.db"
    _searched(path, [0.5])
    _confirm(path, 1, 1)
    with pytest.raises(UserError, match=r"is the confirmation of 'study'"):
        confirmation_spec(_confirming(path), 1, 1)
    delete_study(path, f"{STUDY}.confirm")
    with stock(path) as storage:
        optuna.create_study(study_name=f"{STUDY}.confirm", storage=storage)
    with pytest.raises(UserError, match="is no confirmation"):
        _confirm(path, 1, 1)
