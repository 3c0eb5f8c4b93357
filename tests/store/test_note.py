"""The note that people read of a study in optuna-dashboard."""

from __future__ import annotations

import tomllib

import optuna
import optuna_dashboard

from tests.store.databases import STUDY, stock_study, study_spec
from tunefast.spec.load import parse_spec
from tunefast.spec.sections import Budget
from tunefast.store import studies
from tunefast.store.database import Database
from tunefast.store.note import note_of
from tunefast.store.rows import PART_CHARS


def note(database: Database) -> str:
    """What optuna-dashboard shows."""
    with stock_study(database.path) as study:
        return str(optuna_dashboard.get_note(study))


def test_it_says_how_to_go_on_and_holds_the_spec(database: Database) -> None:
    """Whoever browses the study reads what to type, and a spec that makes the same study."""
    spec = study_spec()
    studies.create(database, spec)
    text = note(database)
    assert f"`tunefast study run {STUDY}`" in text
    assert parse_spec(tomllib.loads(text.partition("```toml\n")[2].partition("```")[0])) == spec


def test_a_long_one_is_whole(database: Database) -> None:
    """A note longer than what one attribute holds is cut and put together as optuna-dashboard does it."""
    space = {f"params.x{index}": {"low": 0.0, "high": 1.0} for index in range(100)}
    spec = study_spec(space=space)
    studies.create(database, spec)
    assert len(note_of(spec)) > 2 * PART_CHARS
    assert note(database) == note_of(spec)


def test_it_follows_the_spec_but_for_people(database: Database) -> None:
    """Another budget shows in the note, also in a shorter one; what people wrote there stays as it is."""
    studies.create(database, study_spec(space={f"params.x{index}": {"low": 0.0, "high": 1.0} for index in range(99)}))
    spec = studies.extend(database, STUDY, Budget(trials=77))
    assert "trials = 77" in note(database)
    assert note(database) == note_of(spec)
    with stock_study(database.path) as study:
        optuna_dashboard.save_note(study, "mine")
    studies.extend(database, STUDY, Budget(trials=78))
    assert note(database) == "mine"


def test_stock_optuna_reads_on(database: Database) -> None:
    """A study with a note is a study to stock Optuna, which adds trials to it."""
    studies.create(database, study_spec())
    with stock_study(database.path) as study:
        study.add_trial(optuna.trial.create_trial(value=1.0))
        assert study.best_value == 1.0
