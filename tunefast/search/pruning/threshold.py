"""Pruning by a fixed range."""

from __future__ import annotations

import math

from tunefast.search.pruning.rule import Curve, Decision, Standing


class ThresholdRule:
    """Stops a trial whose value is below `lower`, above `upper`, or no number."""

    def __init__(self, lower: float | None, upper: float | None) -> None:
        self._lower = -math.inf if lower is None else lower
        self._upper = math.inf if upper is None else upper

    def judge(self, standing: Standing) -> Decision:
        """Whether the value of this epoch is out of range."""
        if standing.epoch <= standing.warmup_epochs:
            return Decision(prune=False)
        value = standing.value
        if value < self._lower:
            return Decision(prune=True, threshold=self._lower)
        return Decision(value > self._upper or math.isnan(value), threshold=self._upper)

    def learn(self, curve: Curve) -> None:
        """What others did is no matter."""
