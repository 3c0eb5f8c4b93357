"""Renaming a study in optuna-dashboard."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna_dashboard
import plotly.graph_objects as go
import pytest

from tests.dashboard.asking import ask
from tests.store.databases import STUDY, stock, stock_study
from tunefast.dashboard.renaming import whole_renames
from tunefast.dashboard.serve import open_storage
from tunefast.run.commands import store_plots
from tunefast.store.snapshot import snapshot

JSON = {"CONTENT_TYPE": "application/json"}


pytestmark = pytest.mark.usefixtures("runtime")


def detail(app: Any, study_id: int) -> dict[str, Any]:
    """What optuna-dashboard's page is told of a study."""
    found: dict[str, Any] = json.loads(ask(app, f"/api/studies/{study_id}").body)
    return found


def test_a_renamed_study_is_whole(path: Path) -> None:
    """Plots, ours and others', the note, the objectives' names and its rows of tunefast are there."""
    uuid = snapshot(path, STUDY).uuid
    store_plots(path, STUDY, {"curves": go.Figure().to_json() or ""})
    with stock_study(path) as study:
        optuna_dashboard.save_plotly_graph_object(study, go.Figure(), graph_object_id="theirs")
    with closing(open_storage(path, allow_edits=True)) as storage:
        app = whole_renames(optuna_dashboard.wsgi(storage), storage)
        before = detail(app, 1)
        answer = ask(app, "/api/studies/1/rename", "POST", b'{"study_name": "new"}', **JSON)
        assert answer.status == 201
        after = detail(app, json.loads(answer.body)["study_id"])
    plots = [sorted(plot["id"] for plot in found["plotly_graph_objects"]) for found in (before, after)]
    assert plots == [["theirs", "tunefast-curves"]] * 2
    assert after["note"]["body"] == before["note"]["body"] != ""
    with stock(path) as storage:
        assert storage.get_study_system_attrs(storage.get_study_id_from_name("new"))["study:metric_names"] == ["score"]
    assert snapshot(path, "new").uuid == uuid


def test_what_cannot_be_renamed_is_told_as_ever(path: Path) -> None:
    """A name that is taken, or a study that is not there."""
    with closing(open_storage(path, allow_edits=True)) as storage:
        app = whole_renames(optuna_dashboard.wsgi(storage), storage)
        taken = ask(app, "/api/studies/1/rename", "POST", json.dumps({"study_name": STUDY}).encode(), **JSON)
        assert (taken.status, json.loads(taken.body)) == (400, {"reason": "Study name already exists."})
        assert ask(app, "/api/studies/7/rename", "POST", b'{"study_name": "x"}', **JSON).status in (404, 500)
