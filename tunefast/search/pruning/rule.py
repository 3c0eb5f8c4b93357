"""What a pruning rule is told, and what it answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple, Protocol

THRESHOLD = "pruner_threshold"
NUM_CURVES = "pruner_curves"
MISSING = "pruner_missing"
PAUSED = "pruner_paused"
"""Among a report's details: what the trial was measured against, from how many trials, and how many were missing;
whether it was to wait there."""


class Curve(NamedTuple):
    """What a trial has reported."""

    number: int
    """Of the trial."""
    values: Mapping[int, float]
    """The study's metric by epoch."""
    planned: int | None
    """Epochs that it trains for when nothing stops it; None where nobody knows."""
    complete: bool = False
    """Whether it ended as a complete trial; else it runs, or ended in another way."""
    running: bool = False
    """Whether it goes on."""
    spent: Mapping[int, float] = {}
    """By epoch the steps or seconds of training until then, where trials are compared by these."""
    paused: bool = False
    """Whether it waits where it is, among those that go on."""
    annealed: bool = False
    """Whether its learning rate ends low."""
    imported: bool = False
    """Whether it was trained in another study, so that it cost this one nothing."""


def halfway(epoch: int) -> int:
    """The epoch at half of a trial's way to `epoch`."""
    return max(1, epoch // 2)


class Standing(NamedTuple):
    """A running trial after an epoch."""

    number: int
    """Of the trial."""
    epoch: int
    value: float
    """At the epoch."""
    best: float
    """Up to the epoch; NaN where there is no number."""
    planned: int | None = None
    """Epochs that it trains for when nothing stops it; None where nobody knows."""
    warmup_epochs: int = 0
    """Epochs before it is judged."""
    halfway: float = math.nan
    """The best up to half of its epochs; NaN where there is no number."""
    spent: float = 0.0
    """Steps or seconds of training, where trials are compared by these."""
    annealed: bool = False
    """Whether its learning rate ends low, so that it gains most near its end."""

    @property
    def is_done(self) -> bool:
        """Whether this was its last epoch, so that nothing is saved by stopping it."""
        return self.planned is not None and self.epoch >= self.planned


def standing_at(curve: Curve, epoch: int, sign: float) -> Standing:
    """How a trial stood after an epoch of its curve; `sign` is 1 where less is better, else -1."""

    def best(until: int) -> float:
        costs = (sign * value for at, value in curve.values.items() if at <= until and math.isfinite(value))
        return sign * min(costs, default=math.nan)

    before, value = best(halfway(epoch)), curve.values[epoch]
    return Standing(curve.number, epoch, value, best(epoch), curve.planned, halfway=before, annealed=curve.annealed)


class Decision(NamedTuple):
    """What a rule says, and the numbers it says it by."""

    prune: bool
    threshold: float | None = None
    """What the trial was measured against; None where it was not judged."""
    num_curves: int = 0
    """Trials that the threshold comes from."""
    missing: int = 0
    """Trials that have to complete before the rule judges any."""

    def numbers(self) -> dict[str, float]:
        """What is kept of it with the epoch's report."""
        counts = {NUM_CURVES: self.num_curves, MISSING: self.missing}
        numbers = {name: float(count) for name, count in counts.items() if count}
        if self.threshold is not None and math.isfinite(self.threshold):
            numbers[THRESHOLD] = self.threshold
        return numbers


class PruningRule(Protocol):
    """What the search asks of a rule, which is a function of the curves it was told alone."""

    def judge(self, standing: Standing) -> Decision:
        """Whether to stop a trial that stands so."""
        ...

    def learn(self, curve: Curve) -> None:
        """Take in all that a trial has reported, again where it has reported more."""
        ...


class NeverPrune:
    """The rule that lets every trial run."""

    def judge(self, standing: Standing) -> Decision:  # noqa: ARG002  the protocol's
        """Never stop."""
        return Decision(prune=False)

    def learn(self, curve: Curve) -> None:
        """Nothing to remember."""
