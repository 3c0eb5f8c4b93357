"""What the doctor makes of its findings: what limits a training, how far it is from the least, what is advised."""

from __future__ import annotations

import math
from typing import NamedTuple

from tunefast.doctor.findings import OTHER, RESULTS, Anatomy, Failed, Gain, LeftAlone, Memory, Rates, Remedy, Seen
from tunefast.doctor.verdict import Verdict, verdict

PARAMETER_BYTES = 4
PASSES = 8
"""Over the parameters in a step: read forward and backward, gradients written and read, an optimizer's two moments."""
WORTH_IT = 1.03
"""The least gain, at the lower end of its interval, for which a spec is changed."""
ONCE_SECONDS = 1.0
"""The least first-time cost that counts: of any remedy the first step may take a little longer, by chance."""


class Diagnosis(NamedTuple):
    """What the doctor found."""

    anatomy: Anatomy
    rates: Rates
    memory: Memory
    floor_seconds: float | None
    """What a step would take at the device's best rates; None where the model's operations cannot be counted."""
    verdict: Verdict
    gains: list[Gain]
    """The most first."""
    failed: list[Failed]
    left_alone: list[LeftAlone]

    @classmethod
    def of(cls, seen: Seen, tried: list[Gain | Failed]) -> Diagnosis:
        """What was seen, and what came of the remedies that there was time for."""
        gains = sorted((each for each in tried if isinstance(each, Gain)), key=lambda gain: -gain.ratio)
        failed = [each for each in tried if isinstance(each, Failed)]
        anatomy, rates = seen.anatomy, seen.rates
        least = floor(anatomy, rates)
        return cls(anatomy, rates, seen.memory, least, verdict(anatomy), gains, failed, list(seen.left_alone))

    @property
    def advised(self) -> list[Gain]:
        """Remedies that are surely faster, within one trial too, and leave the result as it is, but for rounding."""
        return [
            gain
            for gain in self.gains
            if gain.low >= WORTH_IT
            and gain.remedy.result != OTHER
            and epochs_to_pay(gain.first_seconds, gain.low, self.anatomy) <= self.anatomy.epochs
        ]


def floor(anatomy: Anatomy, rates: Rates) -> float | None:
    """The least seconds of a step: its operations at the rate of products, its parameters at that of copies."""
    if anatomy.step_flops is None:
        return None
    return max(anatomy.step_flops / rates.flops, anatomy.num_parameters * PARAMETER_BYTES * PASSES / rates.bytes)


def epochs_to_pay(first_seconds: float, ratio: float, anatomy: Anatomy) -> float:
    """Epochs after which a remedy that is `ratio` times as fast has saved what it costs once.

    0 where it costs nothing worth counting, infinitely many where it saves nothing.
    """
    if first_seconds < ONCE_SECONDS:
        return 0.0
    saved = anatomy.training_seconds * (1 - 1 / ratio)
    return first_seconds / saved if saved > 0 else math.inf


def together(gains: list[Gain]) -> Remedy:
    """Several remedies as one; of two that change the same setting the better one counts."""
    changes: dict[str, object] = {}
    results = [RESULTS[0]]
    for gain in sorted(gains, key=lambda gain: -gain.ratio):
        if not changes.keys() & gain.remedy.changes.keys():
            changes.update(gain.remedy.changes)
            results.append(gain.remedy.result)
    return Remedy("all of it together", changes, max(results, key=RESULTS.index))
