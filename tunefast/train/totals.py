"""What an epoch of training adds up to."""

from __future__ import annotations

from typing import NamedTuple


class EpochTotals(NamedTuple):
    """What one epoch of training added up to."""

    loss: float
    accuracy: float | None
    """Share of samples that were right on the way; None for regression."""
    steps: int
    samples: int
    learning_rate: float
    skipped_steps: int
    """Steps left out because fp16 gradients overflowed."""
