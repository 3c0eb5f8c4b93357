"""What people read who run a study that is over, or look for its budget in the wrong place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.report.made import study, trial
from tests.store.databases import prepared, stock_study, study_spec
from tunefast.cli.app import app
from tunefast.cli.going_on import how_it_goes_on
from tunefast.cli.summary import how_to_go_on, why_over
from tunefast.errors import UserError
from tunefast.shell import DEFAULT_STORAGE
from tunefast.store import studies

GRID = study_spec(sampler={"name": "grid"}, budget={}, space={"params.x": {"choices": [0, 1]}})
EXTEND = "Search on with a larger budget: tunefast study extend study"


def test_how_a_changed_study_goes_on() -> None:
    """Another worker does not let a paused study go on, and one whose workers do not wait needs nothing."""
    found = study(trial(0.5))
    for held, num_workers, how in (
        (True, 2, "It is paused; go on: tunefast study resume study"),
        (False, 2, "Its workers take it up."),
        (True, 0, "Go on: tunefast study run study"),
        (False, 0, "Go on: tunefast study run study"),
        (False, None, "Go on: tunefast study run study"),
    ):
        assert how_it_goes_on(replace(found, held=held, num_workers=num_workers), DEFAULT_STORAGE) == how


@pytest.mark.parametrize(
    ("spec", "why", "how"),
    [
        (study_spec(budget={"trials": 2}), "trials", f"{EXTEND} --trials 4"),
        (study_spec(budget={"minutes": 1}), "minutes", f"{EXTEND} --minutes 2"),
        (study_spec(budget={"trials": 9, "target": 0.1}), "target", f"{EXTEND} --target VALUE"),
        (study_spec(budget={"trials": 2, "minutes": 1}), "minutes", f"{EXTEND} --minutes 2 --trials 4"),
        (GRID, "trials", "Its grid is covered; add cells: tunefast study edit study --set 'space.PATH.choices=[...]'"),
    ],
)
def test_each_limit_says_how_to_go_on(spec: Any, why: str, how: str) -> None:
    """Whichever limits a study has reached, the command that is named raises those."""
    section = spec.study.model_copy(update={"direction": "maximize"})
    found = study(trial(0.5), trial(0.4), spec=spec.model_copy(update={"study": section}))
    assert found.is_over
    assert (why_over(found), how_to_go_on(found, "sqlite:///tunefast.db")) == (why, how)


@pytest.mark.parametrize("command", [("study", "run"), ("worker", "start")])
def test_nothing_is_started_for_a_study_that_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, str]
) -> None:
    """One line says that nothing was left to do and how to go on; then the result follows, with its exit code 0."""
    monkeypatch.chdir(tmp_path)
    database = prepared(tmp_path / "tunefast.db")
    studies.create(database, study_spec(budget={"trials": 1}, recipe={"objective": "math:sqrt"}))
    database.close()
    with stock_study(database.path) as stock:
        stock.add_trial(trial(0.5))
    done = CliRunner().invoke(app, [*command, "study"])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[0] == f"Nothing was left to do: its trials are used up. {EXTEND} --trials 2"
    assert not (tmp_path / "tunefast.db.tunefast").exists()


@pytest.mark.parametrize("command", [("study", "run", "x"), ("study", "create", "x"), ("worker", "start", "x")])
@pytest.mark.parametrize("option", ["--trials", "--minutes", "--target", "--budget"])
def test_who_gives_the_budget_there_is_told_where_it_stands(command: tuple[str, ...], option: str) -> None:
    """What people try first is no unknown option without a hint."""
    with pytest.raises(UserError, match=r"\[budget\] trials = 40 .*: tunefast study extend NAME --trials N"):
        CliRunner().invoke(app, [*command, option, "5"], catch_exceptions=False)
    assert option not in CliRunner().invoke(app, [*command[:2], "--help"]).output
