"""How trials that are the user's own count their epochs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tunefast.spec.progress import EpochReport

SAID_EPOCH, SAID_STEP = "said_epoch", "said_step"
"""Among a report's details: the epoch and the optimizer step as the user's own code counts them."""


class EpochCount:
    """Numbers reports from 1 on, by what the user's own code says of its epoch or step.

    Code that says epoch 0 first counts from 0. A report that says neither, or nothing new, is counted on. A first one
    that says a step goes on after those of the `earlier` reports, of the attempts before, that had smaller steps.
    """

    def __init__(self, earlier: Sequence[EpochReport] = ()) -> None:
        self._earlier = earlier
        first = next((report for report in earlier if SAID_EPOCH in report.details), None)
        self._offset = None if first is None else first.epoch - int(first.details[SAID_EPOCH])
        self._last = 0

    def next(self, epoch: float | None = None, step: float | None = None) -> int:
        """The number of the next report."""
        self._last = max(self._last + 1, self._said(epoch, step))
        return self._last

    def _said(self, epoch: float | None, step: float | None) -> int:
        """The number that the code says; 0 where it does not."""
        if epoch is not None and epoch >= 0 and float(epoch).is_integer():
            if self._offset is None:
                self._offset = 1 if epoch == 0 else 0
            return int(epoch) + self._offset
        if step is not None and not self._last:
            return 1 + sum(report.details.get(SAID_STEP, math.inf) < step for report in self._earlier)
        return 0
