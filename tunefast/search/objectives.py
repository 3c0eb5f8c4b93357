"""Objectives: what of a trial's reports is optimised, and what trials are compared by while they run."""

from __future__ import annotations

import math
from typing import NamedTuple

from tunefast.search.running import Running
from tunefast.spec.costs import COSTS, cost
from tunefast.spec.progress import Ending, EpochReport, Outcome
from tunefast.spec.study_section import StudySection


class Judged(NamedTuple):
    """How a trial really ended: complete it can only be with a value for each objective."""

    ending: Ending
    reason: str
    kept: int
    """The epoch that counts."""
    error: str | None
    values: list[float] | None
    """What Optuna stores."""


class Objectives:
    """Reads reports as a study's objectives."""

    def __init__(self, section: StudySection) -> None:
        self._metrics = section.metrics
        self._curve = section.curve_metric
        self._reported = section.reported_metrics
        self.stores_curve = not section.has_several and self._curve == section.main_metric
        """Whether Optuna is told what was reported on the way: of the one objective, or it would rank by another."""

    def missing(self, report: EpochReport) -> str | None:
        """A metric that the study needs and the report has not."""
        return next((name for name in self._reported if name not in report.metrics), None)

    def take(self, running: Running, report: EpochReport) -> None:
        """Note an epoch with what trials are compared by. Raises `KeyError` where the report has not that."""
        running.values[report.epoch] = report.metrics[self._curve]
        if not self.stores_curve:
            running.reports[report.epoch] = report

    def judged(self, running: Running, outcome: Outcome) -> Judged:
        """How a trial ended, as Optuna gets it."""
        ending, reason = outcome.ending, outcome.reason
        kept = outcome.kept_epoch if outcome.kept_epoch is not None else running.epochs
        values = [outcome.value] if outcome.value is not None else self._values(running, kept)
        absent = [name for name, value in zip(self._metrics, values, strict=True) if math.isnan(value)]
        if ending is Ending.COMPLETE and absent:
            ending, reason = Ending.FAILED, reason or f"it ended without reporting {absent[0]!r}"
        if ending not in (Ending.COMPLETE, Ending.FAILED) and outcome.value is None:
            values = self._values(running, running.epochs) if self.stores_curve else []  # as stock Optuna, the last one
        known = bool(values) and ending is not Ending.FAILED and all(map(math.isfinite, values))
        error = outcome.error or (reason if ending is Ending.FAILED else None)
        return Judged(ending, reason, kept, error, values if known else None)

    def _values(self, running: Running, kept: int) -> list[float]:
        """Each metric at the epoch that is kept, each cost of all epochs; NaN for what nobody said."""
        if self.stores_curve:
            return [running.values.get(kept, math.nan)]
        reports = [running.reports[epoch] for epoch in sorted(running.reports)]
        metrics = running.reports[kept].metrics if kept in running.reports else {}
        found = [metrics[name] if name in metrics else self._cost(name, reports) for name in self._metrics]
        return [math.nan if value is None else value for value in found]

    def _cost(self, name: str, reports: list[EpochReport]) -> float | None:
        return cost(name, reports) if name in COSTS and reports else None
