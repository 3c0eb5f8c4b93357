"""What limits a training, from where its time goes."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from tunefast.doctor.findings import Anatomy


class Limit(StrEnum):
    """The part that limits a training: with it twice as fast, most would be gained."""

    DATA = "data"
    """Samples come, or are prepared, more slowly than the model trains on them."""
    EVALUATION = "evaluation"
    """Epochs spend more time on judging than on training."""
    LAUNCH = "launch"
    """Steps are so small that what each of them costs, whatever its samples, is most of it."""
    COMPUTE = "compute"
    """The arithmetic of the samples."""


class Verdict(NamedTuple):
    """What limits a training, and by how much."""

    limit: Limit
    share: float
    """Of an epoch's time, that it takes."""


def verdict(anatomy: Anatomy) -> Verdict:
    """The part with the largest share of an epoch."""
    steps = anatomy.steps_per_epoch
    computing = anatomy.computing_seconds
    fixed = min(anatomy.fixed_seconds, computing)
    parts = {
        Limit.DATA: (anatomy.phases["data"] + anatomy.phases["preparation"]) * steps,
        Limit.EVALUATION: anatomy.eval_seconds,
        Limit.LAUNCH: (fixed + max(0.0, anatomy.rest_seconds)) * steps,
        Limit.COMPUTE: (computing - fixed) * steps,
    }
    total = sum(parts.values())
    limit = max(parts, key=lambda part: parts[part])
    return Verdict(limit, parts[limit] / total)
