"""Reported: what trials said of the metric that they are compared by, and which of it counts as their value."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from optuna.trial import FrozenTrial

from tunefast.spec.study_section import StudySection
from tunefast.store.rows import state_word
from tunefast.store.snapshot import StudySnapshot


class Reported(NamedTuple):
    """What a trial said."""

    trial: FrozenTrial
    curve: dict[int, float]
    """Epoch -> value, in order; without those that are no finite numbers."""
    value: float | None
    """The trial's, as the study has it; of one that the study has none of, what it said at `epoch`."""
    epoch: int | None
    """The one that counts: that of the weights a complete trial keeps, else the last; None where it reported none."""


def reported(study: StudySnapshot) -> list[Reported]:
    """By trial, from the reports of its epochs; from Optuna's intermediate values where there are no such reports."""
    section, metric = study.spec.study, study.spec.study.curve_metric
    curves: dict[int, dict[int, float]] = defaultdict(dict)
    for row in study.epochs:
        value = row["metrics"].get(metric)
        if value is not None and math.isfinite(value):
            curves[row["trial"]][row["epoch"]] = value
    return [_reported(trial, section, curves.get(trial.number, {})) for trial in study.trials]


def _reported(trial: FrozenTrial, section: StudySection, own: Mapping[int, float]) -> Reported:
    said = own
    if not own and section.metrics == [section.curve_metric]:
        said = {step: value for step, value in trial.intermediate_values.items() if math.isfinite(value)}
    curve = {epoch: said[epoch] for epoch in sorted(said)}
    kept = trial.user_attrs.get("kept_epoch") if state_word(trial) == "complete" else None
    epoch = kept if kept in curve else next(reversed(curve), None)
    value = None if epoch is None else curve[epoch]
    if trial.values and section.curve_metric in section.metrics:
        stored = trial.values[section.metrics.index(section.curve_metric)]
        value = stored if math.isfinite(stored) else value
    return Reported(trial, curve, value, epoch)
