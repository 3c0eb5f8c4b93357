"""MirroredStorage: what stock Optuna sees of a live study."""

from __future__ import annotations

import itertools
import json
import math
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from tests.store.databases import (
    OPTUNA_TABLES,
    STUDY,
    execute,
    mirrored,
    plain,
    prepared,
    rows,
    stock_study,
    stock_trials,
    study_spec,
    write_everything,
)
from tunefast.errors import StorageError
from tunefast.store import engine, studies
from tunefast.store.database import Database
from tunefast.store.rows import OURS, STATE_WORDS, read_trials
from tunefast.store.trials import MirroredStorage

DISTRIBUTIONS: dict[str, BaseDistribution] = {
    "float": FloatDistribution(-1.5, 2.5),
    "log_float": FloatDistribution(1e-8, 1e3, log=True),
    "stepped_float": FloatDistribution(0.0, 1.0, step=0.1),
    "int": IntDistribution(-5, 5),
    "log_int": IntDistribution(1, 4096, log=True),
    "stepped_int": IntDistribution(0, 100, step=25),
    "choice": CategoricalDistribution(["adam", 1, 0.5, True, None]),
}
ENDED = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]


def parameter(name: str) -> st.SearchStrategy[float]:
    """Values of the parameter `name` as Optuna keeps them."""
    kind = DISTRIBUTIONS[name]
    if isinstance(kind, CategoricalDistribution):
        return st.integers(0, len(kind.choices) - 1).map(float)
    if isinstance(kind, IntDistribution):
        return st.integers(kind.low // kind.step, kind.high // kind.step).map(lambda value: float(value * kind.step))
    assert isinstance(kind, FloatDistribution)
    if kind.step is not None:
        return st.integers(0, 10).map(lambda index: round(index * 0.1, 12))
    return st.floats(kind.low, kind.high)


@st.composite
def histories(draw: st.DrawFn) -> dict[str, Any]:
    """What is set on one trial."""
    names = draw(st.lists(st.sampled_from(sorted(DISTRIBUTIONS)), unique=True))
    state = draw(st.sampled_from([*ENDED, TrialState.RUNNING]))
    value = draw(st.floats(allow_nan=False)) if state in (TrialState.COMPLETE, TrialState.PRUNED) else None
    attributes = st.dictionaries(
        st.text(max_size=5), st.none() | st.integers() | st.lists(st.text(max_size=3)), max_size=3
    )
    return {
        "params": {name: draw(parameter(name)) for name in names},
        "reports": draw(st.lists(st.tuples(st.integers(0, 9), st.floats()), max_size=6)),
        "user": draw(attributes),
        "system": draw(attributes),
        "state": state,
        "value": value,
        "flush": draw(st.booleans()),
    }


def play(storage: MirroredStorage, history: dict[str, Any]) -> None:
    """Do to a new trial what the history says."""
    trial_id = storage.create_new_trial(storage.study_id)
    for name, value in history["params"].items():
        storage.set_trial_param(trial_id, name, value, DISTRIBUTIONS[name])
    for key, value in history["user"].items():
        storage.set_trial_user_attr(trial_id, key, value)
    if history["flush"]:
        storage.flush()
    for step, value in history["reports"]:
        storage.set_trial_intermediate_value(trial_id, step, value)
    for key, value in history["system"].items():
        storage.set_trial_system_attr(trial_id, key, value)
    if history["state"].is_finished():
        values = None if history["value"] is None else [history["value"]]
        storage.set_trial_state_values(trial_id, history["state"], values)


@given(st.lists(histories(), max_size=5))
@settings(max_examples=12)
def test_stock_optuna_reads_back_what_was_written(all_histories: list[dict[str, Any]]) -> None:
    """Params of every kind, reports with NaN and infinities, values, attributes and states: stock Optuna sees all."""
    with tempfile.TemporaryDirectory() as directory:
        database = prepared(Path(directory) / "store.db")
        studies.create(database, study_spec())
        storage = mirrored(database)
        for history in all_histories:
            play(storage, history)
        assert storage.flush() == []
        assert not storage.unwritten
        theirs = stock_trials(database.path)
        with database.transaction() as connection:
            read = read_trials(connection, STUDY)
        live = storage.get_all_trials(storage.study_id)
        again = mirrored(database).get_all_trials(storage.study_id)
        database.close()
    expected = [plain(trial) for trial in theirs]
    assert [plain(trial) for trial in read] == [plain(trial) for trial in again] == expected
    assert [plain(trial, moments=False) for trial in live] == [plain(trial, moments=False) for trial in theirs]


def test_stock_optuna_knows_the_study(storage: MirroredStorage, database: Database) -> None:
    """Its direction and the name of its metric are where stock Optuna and the dashboard look for them."""
    study = optuna.load_study(study_name=STUDY, storage=f"sqlite:///{database.path}")
    assert study.direction == optuna.study.StudyDirection.MAXIMIZE
    assert study.metric_names == ["score"]
    assert study._study_id == storage.study_id
    assert storage.get_study_directions(storage.study_id) == [optuna.study.StudyDirection.MAXIMIZE]


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process whose local time is nine hours ahead."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_tokyo")
def test_moments_are_naive_utc(storage: MirroredStorage, database: Database) -> None:
    """Rows hold naive UTC, and trials naive local time, wherever the process runs."""
    trial_id = storage.create_new_trial(storage.study_id)
    storage.set_trial_state_values(trial_id, TrialState.FAIL)
    storage.flush()
    ((*_, started, completed),) = rows(database.path, "trials")["trials"]
    [theirs] = stock_trials(database.path)
    [ours] = mirrored(database).get_all_trials(storage.study_id)
    utc, soon = datetime.now(UTC).replace(tzinfo=None), timedelta(seconds=20)
    assert abs(datetime.fromisoformat(started) - utc) < soon
    assert abs(datetime.fromisoformat(completed) - utc) < soon
    assert (ours.datetime_start, ours.datetime_complete) == (theirs.datetime_start, theirs.datetime_complete)
    assert theirs.datetime_start is not None
    assert abs(theirs.datetime_start - utc - timedelta(hours=9)) < soon


def test_only_the_row_is_visible_before_a_flush(storage: MirroredStorage, database: Database) -> None:
    """A new trial's row is in the database at once, running and empty; the rest comes whole with the group."""
    trial_id = storage.create_new_trial(storage.study_id)
    write_everything(storage, trial_id)
    [before] = stock_trials(database.path)
    assert (before._trial_id, before.number, before.state) == (trial_id, 0, TrialState.RUNNING)
    assert not any([before.params, before.intermediate_values, before.values, before.user_attrs])
    assert before.system_attrs == {OURS: True}
    assert storage.unwritten
    storage.flush()
    [after] = stock_trials(database.path)
    assert (after.params, after.intermediate_values, after.value) == ({"float": 0.5}, {1: 0.25}, 0.75)
    assert (after.user_attrs, after.system_attrs) == ({"user": "seen"}, {"system": "seen", OURS: True})


def test_a_full_disk_keeps_the_group(storage: MirroredStorage, database: Database) -> None:
    """A flush that finds no room leaves nothing of its group behind, and a later one writes it all."""
    trial_id = storage.create_new_trial(storage.study_id)
    write_everything(storage, trial_id, attribute="long" * 100_000)
    before = rows(database.path, *OPTUNA_TABLES)
    with database.transaction() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    for _ in range(2):
        with pytest.raises(StorageError, match="full"):
            storage.flush()
        assert rows(database.path, *OPTUNA_TABLES) == before
    with database.transaction() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 100000")
    assert storage.flush() == []
    [trial] = stock_trials(database.path)
    assert (trial.state, trial.value) == (TrialState.COMPLETE, 0.75)
    assert len(trial.user_attrs["user"]) == 400_000


def test_a_locked_database_keeps_the_group(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A flush that waits in vain for another writer fails whole, and a later one writes the group."""
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.05)
    database = prepared(tmp_path / "store.db")
    studies.create(database, study_spec())
    storage = mirrored(database)
    write_everything(storage, storage.create_new_trial(storage.study_id))
    other = Database(database.path)
    with other.transaction():
        for _ in range(2):
            with pytest.raises(StorageError, match="locked"):
                storage.flush()
    other.close()
    assert storage.flush() == []
    [trial] = stock_trials(database.path)
    assert (trial.state, trial.value, trial.params) == (TrialState.COMPLETE, 0.75, {"float": 0.5})
    database.close()


def test_trials_are_created_empty(storage: MirroredStorage) -> None:
    """A template is refused rather than left out of the database."""
    with pytest.raises(NotImplementedError):
        storage.create_new_trial(storage.study_id, storage._create_running_trial())


def test_read_trials_from_a_number_on(storage: MirroredStorage, database: Database) -> None:
    """Only the trials that are asked for are read, of the study that is asked for."""
    studies.create(database, study_spec("other"))
    other = mirrored(database, "other")
    for _ in range(3):
        storage.create_new_trial(storage.study_id)
        other.create_new_trial(other.study_id)
    with database.transaction() as connection:
        assert [trial.number for trial in read_trials(connection, STUDY, 1)] == [1, 2]
        assert [trial._trial_id for trial in read_trials(connection, "other")] == [2, 4, 6]
        assert read_trials(connection, "nobody") == []


def test_every_state_has_a_word() -> None:
    """People read one word for each of Optuna's states."""
    assert STATE_WORDS.keys() == set(TrialState)
    assert len(set(STATE_WORDS.values())) == len(TrialState)


@pytest.mark.parametrize("value", [0.1, math.inf, -math.inf, math.nan])
def test_optuna_stores_numbers_as_we_do(storage: MirroredStorage, database: Database, value: float) -> None:
    """A number is the same row whether stock Optuna or we write it."""
    with stock_study(database.path) as study:
        theirs = study.ask()
        theirs.report(value, 1)
        if not math.isnan(value):
            study.tell(theirs, value)
    ours = storage.create_new_trial(storage.study_id)
    storage.set_trial_intermediate_value(ours, 1, value)
    if not math.isnan(value):
        storage.set_trial_state_values(ours, TrialState.COMPLETE, [value])
    storage.flush()
    for table in ("trial_intermediate_values", "trial_values"):
        assert len({row[2:] for row in rows(database.path, table)[table]}) <= 1
    execute(database.path, "DELETE FROM trial_heartbeats")
    assert json.dumps(value) == json.dumps(stock_trials(database.path)[1].intermediate_values[1])


def test_a_sampler_sees_the_best_and_some_of_the_others(database: Database) -> None:
    """Of many trials about as many as are wanted, in order: the best, the latest, those that run, others in between."""
    studies.create(database, study_spec())
    storage = mirrored(database)
    for number in range(400):
        running = number == 41
        trial = optuna.trial.create_trial(
            state=TrialState.RUNNING if running else TrialState.COMPLETE, value=None if running else float(number == 37)
        )
        trial.number, trial._trial_id = number, number + 1
        storage._add([trial])
    storage.view.most_seen = 100
    seen = [trial.number for trial in storage.get_all_trials(storage.study_id, deepcopy=False)]
    assert seen == sorted(seen)
    assert {37, 41} <= set(seen)
    assert 80 <= len(seen) <= 110
    assert max(after - before for before, after in itertools.pairwise(seen)) <= 8
    assert len(storage.all_trials()) == 400
