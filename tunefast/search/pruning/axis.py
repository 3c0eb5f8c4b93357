"""Axes: by what two trials are at the same place of their training."""

from __future__ import annotations

import math
from collections.abc import Mapping

from tunefast.search.pruning.rule import Curve, Standing

SHARES = 200
"""Places of a whole training: trials within half a percent of each other are at the same one."""
RATIO = 1.02
"""Between a place in steps or seconds and the next: trials within two percent of each other are at the same one."""
SMALLEST = 1e-3
"""Step or second: from here on places grow by `RATIO`."""
COUNTED: Mapping[str, str] = {"steps": "steps", "seconds": "train_seconds"}
"""What of the reports is summed for an axis that needs it."""


class Axis:
    """Numbers the places of a training, few enough that the values at each of them can be kept sorted."""

    def __init__(self, name: str = "epochs") -> None:
        self._name = name

    def where(self, standing: Standing) -> int:
        """The place where a running trial is."""
        return self._place(standing.epoch, standing.planned, standing.spent)

    def points(self, curve: Curve) -> dict[int, float]:
        """A curve's numbers by place, in order, each the last one there; without those whose place nobody knows."""
        known = [epoch for epoch in sorted(curve.values) if self._name not in COUNTED or epoch in curve.spent]
        return {
            self._place(epoch, curve.planned, curve.spent.get(epoch, 0.0)): curve.values[epoch]
            for epoch in known
            if not math.isnan(curve.values[epoch])
        }

    def _place(self, epoch: int, planned: int | None, spent: float) -> int:
        if self._name in COUNTED:
            return math.floor(math.log1p(spent / SMALLEST) / math.log(RATIO))
        if self._name == "share" and planned is not None:
            return math.floor(epoch / planned * SHARES + 1e-9)
        return epoch

    def position(self, place: int) -> float:
        """Where a place begins, in the unit of the axis or a multiple of it."""
        return math.expm1(place * math.log(RATIO)) if self._name in COUNTED else place
