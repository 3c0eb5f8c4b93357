"""What the list says of a study."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.report.made import FAILED, PRUNED, RUNNING, study, trial
from tests.search.playing import live_study, play
from tests.store.databases import STUDY, prepared, study_spec
from tunefast.dashboard.pages.html import index_page
from tunefast.dashboard.pages.studies import Row, Standing, _steps, rows, standing
from tunefast.run.looking import workers
from tunefast.search.confirming import confirmation_spec
from tunefast.search.live import LiveStudy
from tunefast.store import studies
from tunefast.store.reading import ReadingStorage
from tunefast.store.snapshot import StudySnapshot, snapshot

DONE = study(*(trial(0.5) for _ in range(10)))
OVER = study(trial(0.5), spec=study_spec(budget={"minutes": 1}), active_seconds=60.0)
UNKNOWN = "is not known: the coordinator does not answer"
GRID = study_spec(sampler={"name": "grid"}, budget={}, space={"params.x": {"choices": [1, 2]}})


@pytest.mark.parametrize(
    ("found", "at_work", "words", "done"),
    [
        (study(), 0, "not started yet", 0),
        (study(trial(None, RUNNING)), 1, "running with 1 worker", 0),
        (study(trial(0.5), trial(None, RUNNING)), 2, "running with 2 workers", 1),
        (study(trial(0.5), trial(None, RUNNING)), 0, "nobody works on it, 1 unfinished", 1),
        (study(trial(0.5), trial(None, PRUNED)), 0, "nobody works on it", 2),
        (replace(study(trial(0.5), trial(None, RUNNING)), held=True), 2, "paused, 2 workers wait", 1),
        (replace(study(trial(0.5)), held=True), 0, "nobody works on it", 1),
        (DONE, 0, "done", 10),
        (OVER, 0, "done", 1),
        (study(trial(0.5), trial(0.6), spec=GRID), 0, "done", 2),
        (study(trial(0.5), spec=GRID), 0, "nobody works on it", 1),
        (study(trial(0.5), trial(None, RUNNING)), None, f"who works on it {UNKNOWN}", 1),
        (DONE, None, "done", 10),
    ],
)
def test_standings_are_words(found: StudySnapshot, at_work: int | None, words: str, done: int) -> None:
    """Whether somebody works on it, as far as that is known, whether it is over, and how many trials have ended."""
    said = standing(replace(found, num_workers=at_work))
    assert (said.words, said.done) == (words, done)


def test_the_line_goes_up_as_the_study_gets_better() -> None:
    """From the first complete trial to the best, whichever way is better; nothing where none was better."""
    steps = _steps(study(trial(0.1), trial(0.05), trial(None, FAILED), trial(0.6), trial(1.1)))
    assert (steps[0], steps[-1]) == (0.0, 1.0)
    assert steps == sorted(steps)
    assert 0.5 in [round(step, 6) for step in steps]
    assert _steps(study(trial(0.5), trial(0.1))) == []
    assert _steps(study(trial(float("inf")), trial(0.5))) == []
    assert _steps(study()) == []


def test_nobody_works_where_no_coordinator_is(tmp_path: Path) -> None:
    """A database without one has no workers, and nobody waits."""
    assert workers(tmp_path / "none.db") == {}


def test_a_confirmation_stands_with_what_it_confirms(tmp_path: Path) -> None:
    """One entry for both, with the confirmed mean once all runs have ended; one that confirms nothing here is alone."""
    path = tmp_path / "a.db"
    database = prepared(path)
    live = live_study(database, direction="maximize")
    for value in (0.5, 0.9, 0.7):
        play(live, [value])
    found = snapshot(path, STUDY)
    again = studies.confirm(database, confirmation_spec(found, 2, 2), found.uuid)
    studies.create(database, study_spec("gone.confirm"))
    with closing(ReadingStorage(path)) as storage:
        before = {row.name: row for row in rows(path, storage, {again.study.name: 1})}
        assert set(before) == {STUDY, "gone.confirm"}
        assert before[STUDY].is_running
        assert before[STUDY].confirmed == ""
        confirming = LiveStudy(database, again.study.name)
        for value in (0.6, 0.7, 0.8, 0.7):
            play(confirming, [value])
        row = next(row for row in rows(path, storage, {}) if row.name == STUDY)
    assert row.confirmed.startswith("Confirmed: trial 1, mean score 0.7000 on 2 new seeds, 95 % interval ")
    assert row.confirmation is not None
    assert (row.confirmation.name, row.confirmation.standing) == (f"{STUDY}.confirm", Standing("done", False, 4, 4))
    text = index_page([row], {"overview": "Overview"}, "a.db")
    assert text.count("<article") == 1
    assert f"href='/tunefast/studies/{STUDY}.confirm/overview'" in text
    assert row.confirmed in text
    database.close()


def test_an_empty_list_says_how_to_begin() -> None:
    """A newcomer finds the first command; a study that runs shows its bar."""
    assert "tunefast study run digits" in index_page([], {"overview": "Overview"}, "tunefast.db")
    row = Row(
        "a", 1, Standing("running with 1 worker", is_running=True, done=3, budget=None), "3 complete", "", [], 0.0
    )
    text = index_page([row], {"overview": "Overview"}, "tunefast.db")
    assert "<p class='standing running'><span>running with 1 worker</span><span>3 trials</span></p>" in text
