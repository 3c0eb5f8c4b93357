"""A training of the user's own, as far as it can be seen from outside: time between reports, and the CPU it used."""

from __future__ import annotations

import statistics
from enum import StrEnum
from typing import NamedTuple

ONE_CORE = (0.6, 1.4)
"""Cores in use, between which it is about one."""
BUSY = 0.7
"""The share of its cores from which on a training keeps them busy."""


class OwnLimit(StrEnum):
    """What limits a training of which only this can be told."""

    EVALUATION = "evaluation"
    """It says itself that epochs spend more time on judging than on training."""
    WAITING = "waiting"
    """It uses less than a core: it waits for a disk, a network, a GPU, or sleeps."""
    ONE_CORE = "one core"
    """It has more cores, and uses about one."""
    COMPUTE = "compute"
    """It keeps its cores busy."""
    PARTS = "parts"
    """It uses several cores, and not all of them: some of its work is done by one."""


class Watched(NamedTuple):
    """What was seen of a training."""

    threads: int
    """That it was given."""
    start_seconds: float
    """To import it, which its first trial in a process pays."""
    setup_seconds: float
    """Of a trial, before its first epoch begins: data, model."""
    epoch_seconds: list[float]
    """Between two reports; the first epoch's are not known apart from what came before it."""
    cores: float
    """In use on average, between reports."""
    wanted: float
    """Cores that it would have used, had no other process used them."""
    eval_share: float | None
    """Of an epoch, that it says evaluation takes; None where it does not say."""
    peak_memory_bytes: int | None = None

    @property
    def seconds_an_epoch(self) -> float:
        """The median."""
        return statistics.median(self.epoch_seconds)

    @property
    def limit(self) -> OwnLimit:
        """What limits it."""
        if self.eval_share is not None and self.eval_share > 0.5:  # noqa: PLR2004  most of it
            return OwnLimit.EVALUATION
        if self.wanted >= BUSY * self.threads:
            return OwnLimit.COMPUTE
        if self.wanted < ONE_CORE[0]:
            return OwnLimit.WAITING
        return OwnLimit.ONE_CORE if self.wanted <= ONE_CORE[1] else OwnLimit.PARTS


class Gaps(NamedTuple):
    """The time until the first report, and between any two after that; what happened in each."""

    seconds: list[float]
    cpu_seconds: list[float]
    waiting_seconds: list[float]
    """For which threads had to wait for a core."""
    eval_seconds: list[float]
    """That evaluation took, as the training says; empty where it does not."""


def watched(threads: int, start_seconds: float, gaps: Gaps, peak_memory_bytes: int | None = None) -> Watched:
    """What was seen of a training. With one report alone its epoch takes all that came before it."""
    whole = len(gaps.seconds) == 1
    later = slice(0, None) if whole else slice(1, None)
    epochs = gaps.seconds[later]
    spent = max(sum(epochs), 1e-9)
    setup = 0.0 if whole else max(0.0, gaps.seconds[0] - statistics.median(epochs))
    share = sum(gaps.eval_seconds[later]) / spent if gaps.eval_seconds else None
    used, waited = sum(gaps.cpu_seconds[later]) / spent, sum(gaps.waiting_seconds[later]) / spent
    return Watched(threads, start_seconds, setup, epochs, used, used + waited, share, peak_memory_bytes)
