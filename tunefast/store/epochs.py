"""tunefast's own rows of a trial: every epoch report and every attempt, a row each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from tunefast.spec.progress import AT_RUNG, Assignment, CheckpointFile, EpochReport
from tunefast.store import tables
from tunefast.store.clock import utc_now
from tunefast.store.database import Database, Group
from tunefast.store.prepared import Prepared

LOST = "lost"
"""How an attempt ended whose worker was gone."""
DEVICE_BROKE = "its device broke"
"""Why one ended that may have broken its device."""
NOTHING: Mapping[str, float] = {}
_END = Prepared(
    sa.update(tables.attempts)
    .where(tables.attempts.c.study_uuid == sa.bindparam("of_study"))
    .where(tables.attempts.c.trial == sa.bindparam("of_trial"))
    .where(tables.attempts.c.attempt == sa.bindparam("of_attempt")),
    ("ended_at", "ending", "reason"),
)
_ACTIVE = Prepared(
    sa.update(tables.studies).where(tables.studies.c.uuid == sa.bindparam("of_study")),
    ("active_seconds", "slot_seconds"),
)


class Attempts(NamedTuple):
    """The attempts that a trial has had."""

    num: int = 0
    threads: int | None = None
    """Of the last one."""
    num_idle: int = 0
    """Of the last ones: that lost their workers without a new epoch."""
    num_broken: int = 0
    """During which a device broke."""
    at_rung: bool = False
    """Whether the last one ended so that the trial waits at a rung."""
    got_on: bool = False
    """Whether the last one came to a new epoch."""


class TrialLog:
    """Writes what happened to the trials of one study, in the same groups as Optuna's rows."""

    def __init__(self, database: Database, uuid: str) -> None:
        self._database = database
        self._uuid = uuid

    def attempts(self) -> dict[int, Attempts]:
        """The attempts that each trial has had."""
        table = tables.attempts
        columns = (table.c.trial, table.c.attempt, table.c.threads, table.c.ending, table.c.reason)
        of_study = tables.epochs.c.study_uuid == self._uuid
        productive = sa.select(tables.epochs.c.trial, tables.epochs.c.attempt).where(of_study).distinct()
        found: dict[int, Attempts] = {}
        with self._database.transaction() as connection:
            got_on = {(row.trial, row.attempt) for row in connection.execute(productive)}
            rows = connection.execute(
                sa.select(*columns).where(table.c.study_uuid == self._uuid).order_by(table.c.attempt)
            )
            for row in rows:
                before = found.get(row.trial, Attempts())
                idle = before.num_idle + (row.ending == LOST)
                found[row.trial] = Attempts(
                    num=row.attempt,
                    threads=row.threads,
                    num_idle=0 if (row.trial, row.attempt) in got_on else idle,
                    num_broken=before.num_broken + (row.reason == DEVICE_BROKE),
                    at_rung=row.reason == AT_RUNG,
                    got_on=(row.trial, row.attempt) in got_on,
                )
        return found

    def report(
        self, group: Group, trial: int, attempt: int, report: EpochReport, numbers: Mapping[str, float] = NOTHING
    ) -> None:
        """Note an epoch report, with `numbers` among its details."""
        row = {"attempt": attempt, **report.model_dump()}
        row["details"].update(numbers)
        self._add(group, tables.epochs, trial, ("epoch",), row)

    def forget(self, group: Group, trial: int, epoch: int) -> None:
        """Take back what a trial reported of an epoch."""
        group.clear(tables.epochs, {"study_uuid": self._uuid, "trial": trial, "epoch": epoch})

    def reports(self, trial: int) -> list[EpochReport]:
        """What a trial reported, as far as it is written."""
        own = (tables.epochs.c.study_uuid == self._uuid) & (tables.epochs.c.trial == trial)
        with self._database.transaction() as connection:
            rows = connection.execute(sa.select(tables.epochs).where(own).order_by(tables.epochs.c.epoch))
            return [EpochReport.model_validate(_without_empty(row)) for row in rows.mappings()]

    def curves(self, metric: str) -> dict[int, dict[int, float]]:
        """What each trial reported of a metric, by epoch, as far as it is written."""
        table = tables.epochs
        found: dict[int, dict[int, float]] = {}
        with self._database.transaction() as connection:
            wanted = sa.select(table.c.trial, table.c.epoch, table.c.metrics).where(table.c.study_uuid == self._uuid)
            for trial, epoch, metrics in connection.execute(wanted):
                if metric in metrics:
                    found.setdefault(trial, {})[epoch] = metrics[metric]
        return found

    def spent(self, column: str) -> dict[int, dict[int, float]]:
        """What each trial had spent by the end of each epoch, of a column of its reports, as far as it is written."""
        table = tables.epochs
        wanted = sa.select(table.c.trial, table.c.epoch, table.c[column]).where(table.c.study_uuid == self._uuid)
        found: dict[int, dict[int, float]] = {}
        with self._database.transaction() as connection:
            for trial, epoch, amount in connection.execute(wanted.order_by(table.c.trial, table.c.epoch)):
                totals = found.setdefault(trial, {})
                totals[epoch] = next(reversed(totals.values()), 0.0) + amount
        return found

    def saved(self, group: Group, trial: int, file: CheckpointFile) -> None:
        """Note a checkpoint."""
        self._add(group, tables.checkpoints, trial, ("epoch",), file.model_dump())

    def checkpoints(self, trial: int) -> list[CheckpointFile]:
        """The checkpoints that were noted of a trial, also those that are gone meanwhile."""
        table = tables.checkpoints
        own = (table.c.study_uuid == self._uuid) & (table.c.trial == trial)
        with self._database.transaction() as connection:
            rows = connection.execute(sa.select(table.c.epoch, table.c.num_bytes, table.c.sha256).where(own))
            return [CheckpointFile(**row) for row in rows.mappings()]

    def start(self, group: Group, assignment: Assignment, worker: str, provenance: dict[str, Any]) -> None:
        """Note the start of an attempt."""
        row = {
            "attempt": assignment.attempt,
            "worker": worker,
            "device": assignment.device,
            "threads": assignment.threads,
            "seed": assignment.seed,
            "provenance": provenance,
            "started_at": utc_now(),
        }
        self._add(group, tables.attempts, assignment.trial, ("attempt",), row)

    def end(self, group: Group, assignment: Assignment, ending: str, reason: str) -> None:
        """Note the end of an attempt whose start was noted."""
        attempt = {"of_study": self._uuid, "of_trial": assignment.trial, "of_attempt": assignment.attempt}
        group.update(_END, {**attempt, "ended_at": utc_now(), "ending": ending, "reason": reason})

    def active(self, group: Group, seconds: float, slot_seconds: float | None = None) -> None:
        """Note for how long the study has been worked on, over all starts, and how much of that its slots add up to."""
        group.update(_ACTIVE, {"of_study": self._uuid, "active_seconds": seconds, "slot_seconds": slot_seconds})

    def _add(self, group: Group, table: sa.Table, trial: int, key: tuple[str, ...], row: dict[str, Any]) -> None:
        group.add(table, ("study_uuid", "trial", *key), {"study_uuid": self._uuid, "trial": trial, **row})


def _without_empty(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row of the table as a report's fields, without those that are not there."""
    return {name: row[name] for name in EpochReport.model_fields if row[name] is not None}
