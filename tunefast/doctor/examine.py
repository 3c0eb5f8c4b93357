"""Examining a training: where its time goes, what limits it, and what helps."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

import torch

from tunefast.doctor.floor import Rates, measure_rates
from tunefast.doctor.measuring import Anatomy, dissect
from tunefast.doctor.remedies import OTHER, Remedy, remedies
from tunefast.doctor.trying import Aim, Failed, Gain, try_remedy
from tunefast.doctor.verdict import Verdict, verdict
from tunefast.recipe.recipe import TrainingRecipe

PARAMETER_BYTES = 4
PASSES = 8
"""Over the parameters in a step: read forward and backward, gradients written and read, an optimizer's two moments."""
DISSECTING = 0.25
"""Of the time; the rest is for remedies."""
WORTH_IT = 1.03
"""The least gain, at the lower end of its interval, for which a spec is changed."""


class Diagnosis(NamedTuple):
    """What the doctor found."""

    anatomy: Anatomy
    rates: Rates
    floor_seconds: float | None
    """What a step would take at the device's best rates; None where the model's operations cannot be counted."""
    verdict: Verdict
    gains: list[Gain]
    """The most first."""
    failed: list[Failed]

    @property
    def advised(self) -> list[Gain]:
        """Remedies that are surely faster and leave the result as it is, but for rounding."""
        return [gain for gain in self.gains if gain.low >= WORTH_IT and gain.remedy.result != OTHER]


def examine(
    recipe: TrainingRecipe,
    seed: int,
    device: torch.device,
    seconds: float,
    aim: Aim,
    searched: Collection[str] = (),
    on_progress: Callable[[str], None] = lambda _what: None,
) -> Diagnosis:
    """Measure `recipe` for about `seconds`; settings that are `searched` are left as they are.

    Raises what training raises: `ValueError` where parts do not fit, `DataError`, `torch.OutOfMemoryError`.
    """
    on_progress("where the time of a step goes")
    anatomy = dissect(recipe, seed, device, seconds * DISSECTING / 3)
    rates = measure_rates(recipe.precision, device)
    found = [
        remedy
        for remedy in remedies(recipe, device, images=anatomy.is_images, num_train=anatomy.num_train)
        if not set(searched) & set(remedy.changes)
    ]
    tried = []
    for remedy in found:
        on_progress(remedy.name)
        tried.append(try_remedy(recipe, remedy, seed, device, seconds * (1 - DISSECTING) / len(found), aim))
    gains = sorted((each for each in tried if isinstance(each, Gain)), key=lambda gain: -gain.ratio)
    failed = [each for each in tried if isinstance(each, Failed)]
    return Diagnosis(anatomy, rates, floor(anatomy, rates), verdict(anatomy), gains, failed)


def floor(anatomy: Anatomy, rates: Rates) -> float | None:
    """The least seconds of a step: its operations at the rate of products, its parameters at that of copies."""
    if anatomy.step_flops is None:
        return None
    return max(anatomy.step_flops / rates.flops, anatomy.num_parameters * PARAMETER_BYTES * PASSES / rates.bytes)


def together(gains: list[Gain]) -> Remedy:
    """Several remedies as one; of two that change the same setting the better one counts."""
    changes = {path: value for gain in reversed(gains) for path, value in gain.remedy.changes.items()}
    results = [gain.remedy.result for gain in gains]
    return Remedy("all of it together", changes, max(results, key=("same", "rounding alone", "another training").index))
