"""Running: what is kept of a trial from the moment it is handed out until it ends."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

from optuna.trial import TrialState

from tunefast.recipe.recipe import AnyRecipe
from tunefast.spec.progress import Assignment, Ending, EpochReport

STATES = {
    Ending.COMPLETE: TrialState.COMPLETE,
    Ending.PRUNED: TrialState.PRUNED,
    Ending.INFEASIBLE: TrialState.PRUNED,
    Ending.FAILED: TrialState.FAIL,
}
"""How Optuna stores each ending."""

MAX_IDLE_ATTEMPTS = 5
"""Attempts without a new epoch before a trial is given up."""
BACK_OFF_SECONDS = 0.5
"""Before a second attempt, where the first got nowhere; twice as long before the third, and so on."""


@dataclass
class Running:
    """A trial that was handed out and has not ended."""

    number: int
    trial_id: int
    recipe: AnyRecipe
    warmup_epochs: int
    values: dict[int, float] = field(default_factory=dict)
    """By epoch, what trials are compared by."""
    reports: dict[int, EpochReport] = field(default_factory=dict)
    """By epoch, where the study's objectives need more than that."""
    spent: dict[int, float] = field(default_factory=dict)
    """By epoch, steps or seconds of training until then, where trials are compared by these."""
    attempt: int = 0
    idle_attempts: int = 0
    not_before: float = -math.inf
    """When it may be handed out again, by the monotonic clock."""
    epochs_before: int = 0
    """Epochs that earlier attempts had got to."""
    begun: bool = False
    """Whether this attempt has reported."""
    threads: int | None = None
    """Those of the attempt before: with others the last bits of its numbers would differ."""
    seconds: float = 0.0
    """For which it was trained, over all attempts."""
    reached_target: bool = False
    """Whether it was told to end because it is as good as the target."""
    audited: int | None = None
    """The epoch after which the pruner would have stopped it; it runs on, to see what pruning costs."""
    at_rung: bool = False
    """Whether it was told to wait until it is among the best where it is."""
    stopped: bool = False
    """Whether the user wants it to end."""
    samples_per_second: float | None = None
    """In training, during its last epoch; None where the training counts no samples."""
    peak_memory_bytes: int | None = None
    device_errors: int = 0
    """Attempts that ended since their device broke."""
    assignment: Assignment | None = None

    def note_speed(self, report: EpochReport) -> None:
        """Take in how fast an epoch was."""
        known = report.samples > 0 and report.train_seconds > 0
        self.samples_per_second = report.samples / report.train_seconds if known else None
        self.peak_memory_bytes = report.peak_memory_bytes

    def rewind(self, epoch: int) -> list[int]:
        """Begin an attempt at `epoch`; returns the later epochs, whose values are forgotten."""
        self.begun = True
        later = [number for number in self.values if number >= epoch]
        for number in later:
            del self.values[number]
            self.reports.pop(number, None)
            self.spent.pop(number, None)
        return later

    def is_poison(self, *, paused: bool) -> bool:
        """Whether an attempt that ended now was one too many that got no further; one that was paused may have."""
        if self.epochs > self.epochs_before:
            self.idle_attempts = 0
        elif not paused:
            self.idle_attempts += 1
        if self.idle_attempts:
            self.not_before = time.monotonic() + BACK_OFF_SECONDS * 2 ** (self.idle_attempts - 1)
        return self.idle_attempts >= MAX_IDLE_ATTEMPTS

    @property
    def in_order(self) -> list[EpochReport]:
        """Its reports, as far as they are kept, by epoch."""
        return [self.reports[epoch] for epoch in sorted(self.reports)]

    @property
    def epochs(self) -> int:
        """Epochs that it has got to."""
        return max(self.values, default=0)

    def best(self, *, maximize: bool, until: float = math.inf) -> float:
        """The best value reported so far, or up to an epoch; NaN where there is none."""
        numbers = [value for epoch, value in self.values.items() if epoch <= until and not math.isnan(value)]
        return (max if maximize else min)(numbers, default=math.nan)
