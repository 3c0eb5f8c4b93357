"""Points to try first."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from pydantic import ValidationError

from tests.search.playing import claimed, finish, play, report
from tests.store.databases import STUDY, prepared, stock_trials, study_spec
from tunefast.errors import UserError
from tunefast.run.commands import create_study
from tunefast.search.live import LiveStudy
from tunefast.spec.progress import Ending
from tunefast.spec.study import StudySpec
from tunefast.store import studies

SPACE: dict[str, Any] = {
    "params.x": {"low": 0.0, "high": 1.0},
    "params.kind": {"choices": ["a", "b"]},
    "params.y": {"low": 1, "high": 9, "when": {"params.kind": "b"}},
}


def _spec(*points: dict[str, Any], trials: int = 5, **study: Any) -> StudySpec:
    table = study_spec(space=SPACE, budget={"trials": trials}, **study).model_dump(mode="json")
    return StudySpec.model_validate({**table, "enqueue": list(points)})


def test_they_are_tried_first(tmp_path: Path) -> None:
    """In their order, over a restart; what they leave open is drawn; they are trials of the budget."""
    path = tmp_path / "tunefast.db"
    create_study(path, _spec({"params.x": 0.25, "params.kind": "b", "params.y": 4}, {"params.x": 0.75}))
    assert [trial.state for trial in stock_trials(path)] == [TrialState.WAITING] * 2
    database = prepared(tmp_path / "other.db")
    database.close()
    database = studies.open_database(path)
    live = LiveStudy(database, STUDY)
    play(live, [0.5])
    live = LiveStudy(database, STUDY)
    while (running := live.claim()) is not None:
        report(live, running, 1, 0.5)
        finish(live, running, kept_epoch=1)
    trials = stock_trials(path)
    assert len(trials) == 5
    assert trials[0].params == {"params.x": 0.25, "params.kind": "b", "params.y": 4}
    assert trials[1].params["params.x"] == 0.75
    assert "params.kind" in trials[1].params
    assert trials[2].params["params.x"] not in (0.25, 0.75)
    database.close()


@pytest.mark.parametrize("kind", ["ours", "stock"])
def test_the_best_of_another_study(tmp_path: Path, kind: str) -> None:
    """The best trials of a study in this database, or in one of stock Optuna, as far as they lie in the space."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path, point = tmp_path / "tunefast.db", {"from_study": "old", "best": 2}
    if kind == "ours":
        database = prepared(path)
        studies.create(database, study_spec("old", space=SPACE))
        live = LiveStudy(database, "old")
        for value in (0.2, 0.9, 0.5, 0.7):
            play(live, [value])
        database.close()
    else:
        point["storage"] = f"sqlite:///{tmp_path / 'stock.db'}"
        study = optuna.create_study(study_name="old", storage=str(point["storage"]), direction="maximize")
        for x, value in ((0.1, 0.2), (0.9, 0.9), (7.0, 1.0), (0.7, 0.7)):
            params = {"params.x": x, "params.kind": "a"}
            kinds = {
                "params.x": optuna.distributions.FloatDistribution(0, 9),
                "params.kind": optuna.distributions.CategoricalDistribution(["a", "b"]),
            }
            study.add_trial(optuna.create_trial(params=params, distributions=kinds, value=value))
    create_study(path, _spec(point, {"params.x": 0.5}))
    wanted = stock_trials(path, "old") if kind == "ours" else study.trials
    waiting = [trial.system_attrs["fixed_params"] for trial in stock_trials(path)]
    assert waiting == [wanted[1].params, wanted[3].params, {"params.x": 0.5}]


def _stock(path: Path, name: str, trials: list[dict[str, float]]) -> str:
    """A study of stock Optuna whose trials have these settings, each better than the one before; its URL."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(study_name=name, storage=f"sqlite:///{path}", direction="maximize")
    for value, params in enumerate(trials):
        kinds: Any = {key: optuna.distributions.FloatDistribution(-9, 9) for key in params}
        study.add_trial(optuna.create_trial(params=params, distributions=kinds, value=value))
    return f"sqlite:///{path}"


def test_what_another_study_did_not_search(tmp_path: Path) -> None:
    """Trials that lack searched settings are tried all the same, the sampler chooses these; names can be mapped."""
    url = _stock(tmp_path / "stock.db", "old", [{"x": 0.1}, {"x": 0.4, "other": 3.0}, {"x": 7.0}, {"other": 2.0}])
    point = {"from_study": "old", "storage": url, "map": {"x": "params.x"}}
    path = tmp_path / "tunefast.db"
    create_study(path, _spec(point))
    assert [trial.system_attrs["fixed_params"] for trial in stock_trials(path)] == [
        {"params.x": 0.4},
        {"params.x": 0.1},
    ]
    database = studies.open_database(path)
    play(LiveStudy(database, STUDY), [0.5])
    database.close()
    assert stock_trials(path)[0].params.keys() >= {"params.x", "params.kind"}


def test_no_trial_of_another_study_fits(tmp_path: Path) -> None:
    """Why none fits is told with the key that renames settings, which is one of [[enqueue]]."""
    url = _stock(tmp_path / "stock.db", "old", [{"x": 0.1}, {"x": 0.4}, {"params.x": 7.0}])
    problem = (
        "enqueue: no complete trial of 'old' fits (1 x 'params.x' lies outside the space; "
        '2 x has none of the searched settings); settings that have another name there: map = { "OLD" = "NEW" }'
    )
    with pytest.raises(UserError, match=f"^{re.escape(problem)}$"):
        create_study(tmp_path / "tunefast.db", _spec({"from_study": "old", "storage": url}))


def test_a_study_of_several_objectives(tmp_path: Path) -> None:
    """Studies may have several objectives, but the best trials of such are not tried first; that is what is said."""
    url = f"sqlite:///{tmp_path / 'stock.db'}"
    optuna.create_study(study_name="two", storage=url, directions=["maximize", "minimize"])
    problem = r"'two' has 2 objectives; only trials of studies with one can be imported, or tried first"
    with pytest.raises(UserError, match=problem):
        create_study(tmp_path / "tunefast.db", _spec({"from_study": "two", "storage": url}))


def test_more_than_there_are_trials(tmp_path: Path) -> None:
    """The best of another study are no more than the budget has trials."""
    path = tmp_path / "tunefast.db"
    database = prepared(path)
    studies.create(database, study_spec("old", space=SPACE))
    live = LiveStudy(database, "old")
    for value in (0.2, 0.9, 0.5):
        play(live, [value])
    database.close()
    with pytest.raises(UserError, match=r"3 points to try first, but budget.trials = 2"):
        create_study(path, _spec({"from_study": "old"}, trials=2))


def test_a_study_that_has_none(tmp_path: Path) -> None:
    """Nothing is created where the points cannot be had."""
    path = tmp_path / "tunefast.db"
    database = prepared(path)
    studies.create(database, study_spec("old", space=SPACE))
    live = LiveStudy(database, "old")
    finish(live, claimed(live), Ending.PRUNED)
    database.close()
    for name, words in (("nobody", "no study 'nobody'"), ("old", "no complete trial of 'old'")):
        with pytest.raises(UserError, match=words):
            create_study(path, _spec({"from_study": name}))
    assert [summary.study_name for summary in optuna.get_all_study_summaries(f"sqlite:///{path}")] == ["old"]


@pytest.mark.parametrize(
    ("points", "problem"),
    [
        ([{}], r"enqueue\[0\]: is empty"),
        ([{"params.x": 0.5}, {"params.z": 1}], r"enqueue\[1\]: 'params.z' is not searched"),
        ([{"params.x": 1.5}], "params.x = 1.5 is not in its domain, 0 to 1"),
        ([{"params.kind": "c"}], "is not in its domain"),
        ([{"params.kind": "b", "params.y": 2.5}], "none of its domain's values"),
        ([{"params.kind": "b", "params.y": True}], "none of its domain's values"),
        ([{"params.y": 2}], "which is to be given too"),
        ([{"params.kind": "a", "params.y": 2}], "params.y is searched only where params.kind = 'b'"),
        (
            [{"from_study": "a", "map": {"x": "params.y2"}}],
            r"enqueue\[0\].map: x = 'params.y2': 'params.y2' is not sea",
        ),
        ([{"params.x": 0.1}] * 6, "6 points to try first, but budget.trials = 5"),
    ],
)
def test_a_point_that_cannot_be(points: list[dict[str, Any]], problem: str) -> None:
    """A point outside the space is refused when the study is created."""
    with pytest.raises(ValidationError, match=problem):
        _spec(*points)


def test_a_grid_has_its_cells() -> None:
    """A grid tries every cell anyway."""
    table = study_spec(sampler={"name": "grid"}, space={"params.k": {"choices": [1, 2]}}).model_dump(mode="json")
    with pytest.raises(ValidationError, match="a grid tries every cell"):
        StudySpec.model_validate({**table, "enqueue": [{"params.k": 1}]})
