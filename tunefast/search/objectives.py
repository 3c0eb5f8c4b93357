"""Objectives: what of a trial's reports is optimised, and what trials are compared by while they run."""

from __future__ import annotations

import math
from typing import NamedTuple

from tunefast.search import budget
from tunefast.search.pruning import COUNTED
from tunefast.search.race import extrapolated
from tunefast.search.running import Running
from tunefast.spec.costs import COSTS, RACES, cost
from tunefast.spec.progress import MISSED, Ending, EpochReport, Outcome
from tunefast.spec.study import StudySpec
from tunefast.spec.study_section import Target
from tunefast.store.rows import EXTRAPOLATED


class Judged(NamedTuple):
    """How a trial really ended: complete it can only be with a value for each objective."""

    ending: Ending
    reason: str
    kept: int
    """The epoch that counts."""
    error: str | None
    values: list[float] | None
    """What Optuna stores."""
    excesses: dict[str, float]
    """By constraint, as far as it is known, by how much it is violated; 0 or less where it holds."""
    notes: dict[str, float]
    """More that is kept with the trial."""

    @property
    def word(self) -> str:
        """How it stands in tunefast's words: complete, and perhaps the best, only where no constraint is violated."""
        feasible = all(excess <= 0 for excess in self.excesses.values())
        return self.ending if feasible or self.ending is Ending.FAILED else Ending.INFEASIBLE


class Objectives:
    """Reads reports as a study's objectives."""

    def __init__(self, spec: StudySpec) -> None:
        section = spec.study
        self._metrics = section.metrics
        self._curve = section.curve_metric
        self._reported = spec.reported_metrics
        self._bounds = spec.bounds
        self.target = section.target
        """What the study races to, if it does."""
        self._maximize = section.curve_maximize
        self.counts = COUNTED.get(getattr(section.pruner, "axis", ""))
        """What of the reports is summed, where that says how far a trial is."""
        self.stores_curve = [self._curve] == self._metrics
        """Whether Optuna is told what was reported on the way: of the one objective, or it would rank by another."""

    def lacking(self, report: EpochReport) -> str:
        """Which metric the study needs and the report has not, in words; empty where there is none."""
        return report.lacks(self._reported)

    def take(self, running: Running, report: EpochReport) -> None:
        """Note an epoch with what trials are compared by. Raises `KeyError` where the report has not that."""
        running.values[report.epoch] = report.metrics[self._curve]
        if self._bounds or not self.stores_curve:
            running.reports[report.epoch] = report
        if self.counts is not None:
            before = next(reversed(running.spent.values()), 0.0)
            running.spent[report.epoch] = before + getattr(report, self.counts)

    def judged(self, running: Running, outcome: Outcome) -> Judged:
        """How a trial ended, as Optuna gets it."""
        ending, reason = outcome.ending, outcome.reason
        kept = outcome.kept_epoch if outcome.kept_epoch is not None else running.epochs
        values = [outcome.value] if outcome.value is not None else self._values(running, kept)
        notes: dict[str, float] = {}
        raced = ending is Ending.PRUNED or (ending is Ending.COMPLETE and bool(running.values))
        if self.target is not None and raced and not self.has_won(running, kept):
            ending, reason = Ending.PRUNED, reason or MISSED
            notes = self._extrapolated(running, self.target)
        excesses = self._excesses(running, kept, whole=ending is Ending.COMPLETE)
        absent = [name for name, value in zip(self._metrics, values, strict=True) if math.isnan(value)]
        absent += [self._curve] if self.target is not None and not running.values else []
        absent += [name for name in self._bounds if name not in excesses]
        if ending is Ending.COMPLETE and absent:
            ending, reason = Ending.FAILED, reason or f"it ended without reporting {absent[0]!r}"
        if ending not in (Ending.COMPLETE, Ending.FAILED) and outcome.value is None:
            values = self._values(running, running.epochs) if self.stores_curve else []  # as stock Optuna, the last one
        known = bool(values) and ending is not Ending.FAILED and all(map(math.isfinite, values))
        error = outcome.error or (reason if ending is Ending.FAILED else None)
        return Judged(ending, reason, kept, error, values if known else None, excesses, notes)

    def has_won(self, running: Running, epoch: int) -> bool:
        """Whether a trial of a race is at the target with an epoch, and feasible."""
        target = self.target.value if self.target is not None else None
        there = budget.reached(target, running.values.get(epoch, math.nan), maximize=self._maximize)
        return there and self.is_feasible(running, epoch)

    def spent(self, running: Running) -> float:
        """What a trial of a race has spent so far; NaN where nobody said."""
        spent = cost(RACES[self._metrics[0]], running.in_order)
        return math.nan if spent is None else spent

    def _extrapolated(self, running: Running, target: Target) -> dict[str, float]:
        found = extrapolated(running.values, self.spent(running), target.value, maximize=self._maximize)
        return {EXTRAPOLATED: found} if found is not None and math.isfinite(found) else {}

    def _excesses(self, running: Running, epoch: int, *, whole: bool = True) -> dict[str, float]:
        """By constraint, by how much an epoch violates it, where that is known, and known for good unless `whole`."""
        bounds = {name: bound for name, bound in self._bounds.items() if whole or bound.is_final(name)}
        found = {name: self._bounded(running, epoch, name) for name in bounds}
        return {name: self._bounds[name].excess(value) for name, value in found.items() if not math.isnan(value)}

    def _bounded(self, running: Running, epoch: int, name: str) -> float:
        metrics = running.reports[epoch].metrics if epoch in running.reports else {}
        value = metrics[name] if name in metrics else self._cost(name, running.in_order)
        return math.nan if value is None else value

    def hopeless(self, running: Running, epoch: int) -> str | None:
        """A constraint that a trial violates now and ever after, in words; None where there is none."""
        for name, bound in self._bounds.items():
            value = self._bounded(running, epoch, name)
            if bound.is_final(name) and bound.excess(value) > 0:
                return f"constraint: {name} = {value:g}, allowed {bound}"
        return None

    def is_feasible(self, running: Running, epoch: int) -> bool:
        """Whether an epoch violates no constraint."""
        return all(excess <= 0 for excess in self._excesses(running, epoch).values())

    def _values(self, running: Running, kept: int) -> list[float]:
        """Each metric at the epoch that is kept, each cost of all epochs; NaN for what nobody said."""
        if self.stores_curve:
            return [running.values.get(kept, math.nan)]
        if self.target is not None:
            return [self.spent(running)]
        reports = running.in_order
        metrics = running.reports[kept].metrics if kept in running.reports else {}
        found = [metrics[name] if name in metrics else self._cost(name, reports) for name in self._metrics]
        return [math.nan if value is None else value for value in found]

    def _cost(self, name: str, reports: list[EpochReport]) -> float | None:
        return cost(name, reports) if name in COSTS and reports else None
