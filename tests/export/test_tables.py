"""A study as rows: what stands in which column."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState, create_trial

from tests.store.databases import STUDY, prepared, stock_study, study_spec, uuid_of
from tunefast.export.tables import Row, Table, epoch_table, trial_table
from tunefast.spec.progress import Assignment, EpochReport
from tunefast.store import studies
from tunefast.store.database import Group
from tunefast.store.epochs import TrialLog
from tunefast.store.snapshot import StudySnapshot, snapshot

REPORT = EpochReport(
    epoch=1,
    metrics={"score": 0.5, "trial": 7.0},
    train_seconds=2.0,
    eval_seconds=0.5,
    steps=3,
    samples=96,
    details={"num_parameters": 10.0},
)


def stored(path: Path, *trials: dict[str, Any], metric: str | list[str] = "score") -> StudySnapshot:
    """A study with these trials, of which the first was tried twice and reported an epoch each time."""
    database = prepared(path / "study.db")
    studies.create(database, study_spec(metric=metric))
    with stock_study(database.path) as study:
        study.add_trials([create_trial(**trial) for trial in trials])
    log = TrialLog(database, uuid_of(database))
    group = Group()
    for attempt, worker in ((1, "w1"), (2, "w2")):
        assignment = Assignment(
            study=STUDY, trial=0, token=1, attempt=attempt, recipe={}, seed=2**62, threads=attempt, device="cpu"
        )
        log.start(group, assignment, worker, {})
        log.report(group, 0, attempt, REPORT.model_copy(update={"epoch": attempt}))
    with database.transaction() as connection:
        group.write(connection, column="study_uuid", living={})
    database.close()
    return snapshot(path / "study.db", STUDY)


CHOICES = CategoricalDistribution((1, 2, 3, 4, 2**65, "none", "a", "b"))


def complete(value: float, **params: int | str) -> dict[str, Any]:
    """A complete trial."""
    return {
        "state": TrialState.COMPLETE,
        "value": value,
        "params": params,
        "distributions": dict.fromkeys(params, CHOICES),
    }


def failed(error: str) -> dict[str, Any]:
    """A trial that failed with this traceback."""
    return {"state": TrialState.FAIL, "user_attrs": {"error": error, "reason": "error"}}


def row(table: Table, number: int = 0) -> Row:
    """A row, every column of which is of the type that the table says."""
    for name, kind in table.columns.items():
        assert all(each[name] is None or type(each[name]) is kind for each in table.rows), name
    assert all(list(each) == list(table.columns) for each in table.rows)
    return table.rows[number]


def test_a_row_a_trial(tmp_path: Path) -> None:
    """State, value, parameters, what it cost over all attempts, who trained it."""
    found = row(trial_table(stored(tmp_path, complete(0.5, **{"params.x": 1}))))
    expected = {
        "trial": 0,
        "state": "complete",
        "reason": None,
        "value.score": 0.5,
        "param.params.x": 1,
        "attempts": 2,
        "epochs": 2,
        "train_seconds": 4.0,
        "eval_seconds": 1.0,
        "workers": "w1, w2",
        "device": "cpu",
        "threads": 2,
        "seed": 2**62,
        "error": None,
    }
    assert {name: found[name] for name in expected} == expected


def test_an_imported_trial_says_which_one_it_was(tmp_path: Path) -> None:
    """Who reads a file can tell trials of another study from those that were trained here."""
    table = trial_table(stored(tmp_path, complete(0.5), {**complete(0.6), "user_attrs": {"imported": "old, trial 6"}}))
    assert [row(table, number)["imported"] for number in (0, 1)] == [None, "old, trial 6"]


def test_a_failed_trial_says_the_last_line_of_its_error(tmp_path: Path) -> None:
    """Which names the exception; text that no file could hold is spelled out."""
    found = row(trial_table(stored(tmp_path, complete(0.5), failed("Traceback\n  f()\nKeyError: '\udc80'\n\n"))), 1)
    assert (found["state"], found["reason"], found["error"]) == ("failed", "error", "KeyError: '\\udc80'")
    assert found["value.score"] is found["workers"] is found["seed"] is None
    assert found["attempts"] == found["epochs"] == found["train_seconds"] == 0


def test_moments_are_in_utc(tmp_path: Path) -> None:
    """Whatever the time zone of the machine: Optuna's trials carry local time, tunefast's rows naive UTC."""
    before = datetime.now(UTC)
    table = trial_table(stored(tmp_path, complete(0.5), complete(0.25), {"state": TrialState.RUNNING}))
    after = datetime.now(UTC)
    for number in (0, 1):
        assert before <= row(table, number)["started"] <= after
        assert before <= row(table, number)["ended"] <= after
    assert row(table, 2)["ended"] is None


def test_names_that_a_study_chooses_are_told_from_other_columns(tmp_path: Path) -> None:
    """An objective may be called train_seconds, a parameter seed, a metric trial."""
    study = stored(tmp_path, complete(0.5, seed=3, train_seconds=4), metric="train_seconds")
    found = row(trial_table(study))
    assert (found["value.train_seconds"], found["param.train_seconds"], found["train_seconds"]) == (0.5, 4, 4.0)
    assert (found["param.seed"], found["seed"]) == (3, 2**62)
    assert row(epoch_table(study))["metric.trial"] == 7.0


@pytest.mark.parametrize(("values", "kind"), [((1, 2), int), ((1, "none"), str), ((2**65, 1), str), (("a", "b"), str)])
def test_a_column_has_one_type(tmp_path: Path, values: tuple[Any, ...], kind: type) -> None:
    """A choice of numbers and words becomes words, and so do whole numbers that no 64 bits hold."""
    table = trial_table(stored(tmp_path, *(complete(0.5, p=value) for value in values)))
    assert [row(table, number)["param.p"] for number in range(len(values))] == [kind(value) for value in values]


def test_a_row_an_epoch(tmp_path: Path) -> None:
    """Every metric and detail, and what the epoch cost."""
    table = epoch_table(stored(tmp_path, complete(0.5)))
    assert row(table, 1) == {
        "trial": 0,
        "attempt": 2,
        "epoch": 2,
        "metric.score": 0.5,
        "metric.trial": 7.0,
        "detail.num_parameters": 10.0,
        "learning_rate": None,
        "train_seconds": 2.0,
        "eval_seconds": 0.5,
        "steps": 3,
        "samples": 96,
        "peak_memory_bytes": None,
    }


def test_a_study_without_trials_has_columns(tmp_path: Path) -> None:
    """What reads the file finds the same names as later."""
    database = prepared(tmp_path / "empty.db")
    studies.create(database, study_spec())
    database.close()
    study = snapshot(tmp_path / "empty.db", STUDY)
    assert trial_table(study).rows == epoch_table(study).rows == []
    assert {"trial", "value.score", "param.params.x"} <= set(trial_table(study).columns)
