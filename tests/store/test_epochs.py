"""tunefast's own rows of a trial."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from tests.store.databases import study_spec, uuid_of
from tunefast.spec.progress import Assignment, EpochReport
from tunefast.store import studies, tables
from tunefast.store.database import Database, Group
from tunefast.store.epochs import TrialLog


def assignment(trial: int = 0, attempt: int = 1) -> Assignment:
    """An attempt at a trial."""
    return Assignment(
        study="study", trial=trial, token=1, attempt=attempt, recipe={}, seed=2**63 - 1, threads=2, device="cuda:1"
    )


@pytest.fixture
def trial_log(database: Database) -> TrialLog:
    """The log of the study called study; there is another one."""
    for name in ("study", "other"):
        studies.create(database, study_spec(name))
    return TrialLog(database, uuid_of(database))


def written(database: Database, group: Group, table: sa.Table) -> list[dict[str, Any]]:
    """The rows of `table` once the group is written."""
    with database.transaction() as connection:
        group.write(connection, column="trial_id", living={})
        return [dict(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key)).mappings()]


def test_a_report_is_a_row(database: Database, trial_log: TrialLog) -> None:
    """All that a trial says after an epoch is kept; a later attempt's word on the same epoch takes its place."""
    report = EpochReport(
        epoch=1, metrics={"loss": 0.5, "score": 1.0}, learning_rate=0.1, train_seconds=2.0, eval_seconds=0.5,
        steps=10, samples=640, peak_memory_bytes=2**40,
    )  # fmt: skip
    group = Group()
    trial_log.report(group, 0, 1, EpochReport(epoch=2, metrics={"score": 0.0}))
    trial_log.report(group, 0, 1, EpochReport(epoch=1, metrics={"score": 0.0}))
    trial_log.report(group, 0, 2, report)
    first, second = written(database, group, tables.epochs)
    assert first == {"study_uuid": uuid_of(database), "trial": 0, "attempt": 2, **report.model_dump()}
    assert (second["epoch"], second["attempt"], second["learning_rate"]) == (2, 1, None)


def test_metrics_that_are_no_numbers_are_kept(database: Database, trial_log: TrialLog) -> None:
    """The report of a trial that diverged can be written and read."""
    group = Group()
    trial_log.report(group, 0, 1, EpochReport(epoch=1, metrics={"loss": float("nan"), "score": float("inf")}))
    [row] = written(database, group, tables.epochs)
    assert repr(row["metrics"]) == "{'loss': nan, 'score': inf}"


def test_an_attempt_starts_and_ends(database: Database, trial_log: TrialLog) -> None:
    """An attempt's row says who trained where from when to when, and how it ended; others' rows stay."""
    other, group = TrialLog(database, uuid_of(database, "other")), Group()
    for attempt in (1, 2):
        trial_log.start(group, assignment(attempt=attempt), "w1", {"host": "here"})
    other.start(group, assignment(), "w2", {})
    trial_log.end(group, assignment(), "lost", "worker w1 died")
    by_key = {(row["study_uuid"], row["attempt"]): row for row in written(database, group, tables.attempts)}
    ended, open_, theirs = (
        by_key[uuid_of(database), 1],
        by_key[uuid_of(database), 2],
        by_key[uuid_of(database, "other"), 1],
    )
    assert (ended["ending"], ended["reason"]) == ("lost", "worker w1 died")
    assert (ended["worker"], ended["device"], ended["threads"], ended["seed"]) == ("w1", "cuda:1", 2, 2**63 - 1)
    assert ended["provenance"] == {"host": "here"}
    assert abs(ended["started_at"] - datetime.now(UTC).replace(tzinfo=None)) < timedelta(seconds=20)
    assert ended["started_at"] <= ended["ended_at"]
    for row in (open_, theirs):
        assert (row["ended_at"], row["ending"], row["reason"]) == (None, None, None)


def test_attempts_are_counted(database: Database, trial_log: TrialLog) -> None:
    """How often each trial was started, for who goes on after a restart; other studies' trials do not count."""
    assert trial_log.attempts() == {}
    group = Group()
    for trial, attempt in ((0, 1), (0, 2), (3, 1)):
        trial_log.start(group, assignment(trial, attempt), "w1", {})
    TrialLog(database, uuid_of(database, "other")).start(group, assignment(5, 9), "w1", {})
    written(database, group, tables.attempts)
    assert {trial: attempts.num for trial, attempts in trial_log.attempts().items()} == {0: 2, 3: 1}


def test_active_time_is_kept(database: Database, trial_log: TrialLog) -> None:
    """How long a study was worked on is its own."""
    group = Group()
    trial_log.active(group, 12.5)
    written(database, group, tables.studies)
    with database.transaction() as connection:
        assert studies.find(connection, "study", database.path).active_seconds == 12.5
        assert studies.find(connection, "other", database.path).active_seconds == 0
