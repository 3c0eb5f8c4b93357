"""Scales: where a setting's values stand on an axis, whatever their type."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial

from tunefast.report.phrases import setting
from tunefast.store.snapshot import StudySnapshot

MOST_TICKS, SHORT_DECADES = 6, 2.5


class Scale(NamedTuple):
    """An axis: of numbers, or of choices where there are labels."""

    name: str
    low: float
    high: float
    log: bool = False
    labels: tuple[str, ...] = ()

    def share(self, value: Any) -> float:
        """Where a value stands, from 0 to 1."""
        if self.labels:
            return (self.labels.index(setting(value)) + 0.5) / len(self.labels)
        low, high, at = (math.log(max(x, 1e-300)) if self.log else x for x in (self.low, self.high, float(value)))
        return 0.5 if high == low else (at - low) / (high - low)


def log_ticks(low: float, high: float) -> list[float]:
    """At most seven round numbers between two positive ones, for a logarithmic axis; the two where there are none."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    decades = math.log10(high / low)
    steps = (1, 2, 5) if decades <= 1 else (1, 3) if decades <= SHORT_DECADES else (1,)
    every = max(1, math.ceil((last - first) / MOST_TICKS))
    ticks = [float(f"{step}e{at}") for at in range(first, last + 1, every) for step in steps]
    inside = [tick for tick in ticks if low <= tick <= high]
    return inside if len(inside) > 1 else sorted({low, high})


def scales(study: StudySnapshot) -> list[Scale]:
    """One for each setting that trials have, over the values that they have."""
    kinds: dict[str, list[tuple[BaseDistribution, Any]]] = {}
    for trial in study.complete:
        for path, kind in trial.distributions.items():
            kinds.setdefault(path, []).append((kind, trial.params[path]))
    return [scale_of(path, [value for _, value in found], found[-1][0]) for path, found in kinds.items()]


def scale_of(path: str, values: list[Any], kind: BaseDistribution) -> Scale:
    """The scale of a setting with these values, the last of which has this distribution."""
    if isinstance(kind, CategoricalDistribution) or not all(isinstance(value, int | float) for value in values):
        known = [*getattr(kind, "choices", ()), *values]
        labels = tuple(dict.fromkeys(setting(value) for value in known))
        return Scale(path, 0, len(labels) - 1, labels=labels)
    is_log = isinstance(kind, FloatDistribution | IntDistribution) and kind.log and min(values) > 0
    return Scale(path, float(min(values)), float(max(values)), is_log)


def finite(study: StudySnapshot) -> list[FrozenTrial]:
    """The complete trials whose first value is a finite number."""
    return [trial for trial in study.complete if math.isfinite(trial.values[0])]
