"""Study: what it says of a study, and how it shows itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

import tunefast
from tests.store.databases import STUDY, prepared, stock_study, study_spec
from tunefast.errors import StudyNotFound, UserError
from tunefast.notebook.study import Study
from tunefast.store import studies
from tunefast.store.database import Database
from tunefast.store.rows import set_study_attribute
from tunefast.store.studies import CONFIRMATION, CONFIRMS_ATTRIBUTE

X, HOW, SEED = FloatDistribution(0.0, 1.0), CategoricalDistribution(["<b>", "plain"]), IntDistribution(0, 99)
SPACE = {"params.x": {"low": 0.0, "high": 1.0}, "params.how": {"choices": ["<b>", "plain"]}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a study without trials."""
    database = prepared(tmp_path / "s.db")
    studies.create(database, study_spec(space=SPACE))
    database.close()
    return database.path


def opened(path: Path) -> Study:
    """The study there."""
    return tunefast.open(STUDY, f"sqlite:///{path}")


def add(path: Path, value: float, x: float, how: str = "<b>", name: str = STUDY, **seed: int) -> None:
    """Let stock Optuna add a complete trial."""
    kinds: dict[str, Any] = {"params.x": X, "params.how": HOW, **dict.fromkeys(seed, SEED)}
    params = {"params.x": x, "params.how": how, **seed}
    with stock_study(path, name) as study:
        study.add_trial(create_trial(state=TrialState.COMPLETE, value=value, params=params, distributions=kinds))


def confirm(path: Path, uuid: str, values: dict[float, list[float]]) -> None:
    """A confirmation of the study with this uuid: by x, values on new seeds."""
    name = f"{STUDY}{CONFIRMATION}"
    database = Database(path)
    studies.create(database, study_spec(name, space={**SPACE, "seed": {"low": 0, "high": 99}}))
    with database.transaction() as connection:
        set_study_attribute(connection, name, CONFIRMS_ATTRIBUTE, uuid)
    database.close()
    for x, several in values.items():
        for seed, value in enumerate(several):
            add(path, value, x, name=name, seed=seed)


def test_a_study_is_read_anew_each_time(path: Path) -> None:
    """What others add is there when it is asked next."""
    study = opened(path)
    with pytest.raises(UserError, match="no complete trial yet"):
        _ = study.best
    assert repr(study) == "study   study\ntrials  none yet"
    add(path, 0.5, 0.25)
    assert (study.best.trial, study.best.value, study.best.params["params.x"]) == (0, 0.5, 0.25)
    add(path, 0.75, 0.125, "plain")
    assert (study.best.trial, study.best.values) == (1, {"score": 0.75})
    assert study.best.recipe["params"] == {"x": 0.125, "how": "plain"}
    assert study.best.confirmed is None


def test_the_confirmed_winner_is_the_best(path: Path) -> None:
    """As `tunefast study best` names it, with its mean on new seeds."""
    add(path, 0.75, 0.25)
    add(path, 0.5, 0.5)
    study = opened(path)
    confirm(path, study.snapshot.uuid, {0.25: [0.4, 0.5], 0.5: [0.6, 0.7]})
    best = study.best
    assert (best.trial, best.value) == (1, 0.5)
    assert best.confirmed is not None
    assert best.confirmed.mean == pytest.approx(0.65)
    assert "confirmed   mean 0.65 of 2 seeds, 95 % interval" in repr(study)


def test_it_shows_itself_as_a_small_table(path: Path) -> None:
    """Its best trial in text and in HTML, where the user's words are no markup."""
    add(path, 0.5, 0.123456)
    study = opened(path)
    assert repr(study).splitlines() == [
        "study       study",
        "trials      1 complete",
        "score       0.5",
        "trial       0",
        "params.x    0.123",
        "params.how  <b>",
    ]
    html = study._repr_html_()
    assert "<th>params.how</th><td>&lt;b&gt;</td>" in html
    assert "<b>" not in html
    assert len(html) < 1000


def test_a_study_that_is_gone_still_shows_itself(path: Path) -> None:
    """To look at an object is no error; to ask it something is."""
    with pytest.raises(StudyNotFound):
        tunefast.open("other", f"sqlite:///{path}")
    study = opened(path)
    path.unlink()
    assert "error" in repr(study)
    assert "error" in study._repr_html_()
    with pytest.raises(UserError):
        _ = study.best


def test_trials_and_epochs_are_data_frames(path: Path) -> None:
    """With the columns of an export, whole numbers as whole numbers."""
    pytest.importorskip("pandas", reason="pandas is not installed")
    add(path, 0.5, 0.25)
    frame = opened(path).trials
    assert frame["value.score"].tolist() == [0.5]
    assert str(frame["trial"].dtype) == str(frame["seed"].dtype) == "Int64"
    assert str(frame["ended"].dtype).endswith("UTC]")
    assert len(opened(path).epochs) == 0


def test_without_pandas_there_is_one_message(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UserError, match=r"pip install 'tunefast\[pandas\]'"):
        _ = opened(path).trials


def test_figures_are_those_of_a_report(path: Path) -> None:
    """A Plotly figure with a title, in which a user's words are no tags."""
    add(path, 0.5, 0.25, how="<b>")
    figure = opened(path).figure("slices")
    assert isinstance(figure, go.Figure)
    assert figure.layout.title.text == "study: Settings one by one"
    assert "&lt;b&gt;" in str(figure)


def test_a_figure_that_is_not_there_is_told(path: Path) -> None:
    """With the valid names, the nearest first; or with what the study lacks."""
    with pytest.raises(UserError, match=r"Did you mean 'curves'\? There are: best_by_time, .*, curves, "):
        opened(path).figure("curve")
    with pytest.raises(UserError, match="has nothing for figure 'curves' yet: it needs a trial that has reported"):
        opened(path).figure("curves")


def test_values_and_settings_are_not_left_out_of_a_printed_frame(path: Path) -> None:
    """With pandas' own options, which would hide the columns in the middle; also where it was sorted."""
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    add(path, 0.5, 0.25)
    add(path, 0.75, 0.125, "plain")
    frame = opened(path).trials
    first = ["trial", "state", "value.score", "param.params.how", "param.params.x"]
    assert list(frame.columns)[:5] == first
    with pandas.option_context("display.width", 80, "display.max_columns", 4):
        text, sorted_text = str(frame), str(frame.sort_values("value.score").head(1))
        assert "reason" in str(frame[["trial", "reason"]])
        assert str(frame.T) == str(pandas.DataFrame(frame.T)), "what is made of it pandas shortens as ever"
        assert "..." not in str(opened(path).epochs)
    assert "..." not in text + sorted_text
    assert all(name in text and name in sorted_text for name in first)
    assert "0.125" in text
    assert "\nmore columns: reason, attempts, epochs," in text
    assert isinstance(frame, pandas.DataFrame)


def test_the_best_is_short(path: Path) -> None:
    """Its number, its value, and the settings that make it another than the rest; with its mean where it has one."""
    add(path, 0.5, 0.25)
    study = opened(path)
    assert repr(study.best) == "<trial 0: score 0.5000; x=0.25 how=<b>>"
    confirm(path, study.snapshot.uuid, {0.25: [0.5, 0.7]})
    assert repr(study.best) == "<trial 0: score 0.5000, mean 0.6000 on 2 new seeds; x=0.25 how=<b>>"
