"""Figures of tunefast's in the study, as stock optuna-dashboard reads them."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna_dashboard
import plotly.graph_objects as go
import pytest

from tests.dashboard.asking import ask
from tests.store.databases import OPTUNA_TABLES, STUDY, execute, rows, stock, stock_study
from tunefast.dashboard import stored
from tunefast.dashboard.stored import LEAST_SECONDS, leave_figures, store_figures
from tunefast.run.specs import optuna_page
from tunefast.store.reading import ReadingStorage


@pytest.fixture
def worked_on(path: Path) -> Path:
    """The database whose study has been worked on for a while."""
    execute(path, "UPDATE tunefast_studies SET active_seconds = 100.0")
    assert LEAST_SECONDS < 100.0
    return path


def shown(path: Path) -> dict[str, dict[str, Any]]:
    """The figures that stock optuna-dashboard serves to its page, by their ids."""
    with stock(path) as storage:
        study = json.loads(ask(optuna_dashboard.wsgi(storage), "/api/studies/1").body)
    return {each["id"]: json.loads(each["graph_object"]) for each in study["plotly_graph_objects"]}


def test_stock_optuna_dashboard_shows_them(worked_on: Path) -> None:
    """Each is a figure that Plotly takes, with a title, without a size; what is missing in the study is left out."""
    store_figures(worked_on, STUDY, optuna_page())
    found = shown(worked_on)
    assert {"tunefast-best_by_time", "tunefast-tradeoff"} & found.keys()
    for figure in found.values():
        assert go.Figure(figure).layout.title.text
        assert "height" not in figure["layout"]


def test_they_take_the_place_of_those_from_before(worked_on: Path) -> None:
    """Stored again they are as many rows as before; somebody else's plot, the note and the names stay."""
    with stock_study(worked_on) as study:
        optuna_dashboard.save_plotly_graph_object(study, go.Figure(), graph_object_id="theirs")
        before = optuna_dashboard.get_note(study)
    store_figures(worked_on, STUDY, optuna_page())
    once = rows(worked_on, *OPTUNA_TABLES)
    store_figures(worked_on, STUDY, optuna_page())
    again = rows(worked_on, *OPTUNA_TABLES)
    assert {table: len(kept) for table, kept in once.items()} == {table: len(kept) for table, kept in again.items()}
    assert "theirs" in shown(worked_on)
    with stock_study(worked_on) as study:
        assert optuna_dashboard.get_note(study) == before
        assert study.metric_names == ["score"]
    with closing(ReadingStorage(worked_on)) as storage:
        assert len(storage.get_all_studies()) == 1


def test_a_study_grows_by_so_much_and_no_more(worked_on: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures that do not fit are left out, and the old ones are gone."""
    store_figures(worked_on, STUDY, optuna_page())
    assert shown(worked_on)
    monkeypatch.setattr(stored, "MOST_BYTES", 10)
    store_figures(worked_on, STUDY, optuna_page())
    assert shown(worked_on) == {}


def test_one_that_is_too_large_leaves_room_for_others(worked_on: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A figure that does not fit keeps no smaller one out."""
    store_figures(worked_on, STUDY, optuna_page())
    sizes = {name: len(json.dumps(figure)) for name, figure in shown(worked_on).items()}
    largest = max(sizes, key=lambda name: sizes[name])
    monkeypatch.setattr(stored, "MOST_BYTES", sizes[largest] * 9 // 10)
    store_figures(worked_on, STUDY, optuna_page())
    assert largest not in shown(worked_on)
    assert shown(worked_on)


def test_seconds_of_work_are_not_worth_it(path: Path) -> None:
    """A short study is left as it is."""
    before = rows(path, *OPTUNA_TABLES)
    store_figures(path, STUDY, optuna_page())
    assert rows(path, *OPTUNA_TABLES) == before


def test_a_failure_is_a_note(worked_on: Path, tmp_path: Path) -> None:
    """A database that cannot be written is told of; a study that is gone meanwhile is no news."""
    notes: list[str] = []
    leave_figures(tmp_path / "none.db", [STUDY], optuna_page(), notes.append)
    assert [note for note in notes if "does not show the figures of study" in note] == notes != []
    leave_figures(worked_on, ["gone"], optuna_page(), notes.append)
    assert len(notes) == 1
    leave_figures(worked_on, [STUDY], tmp_path / "no_page.toml", notes.append)  # as whatever drawing may raise
    assert len(notes) == 2
