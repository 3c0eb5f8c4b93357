"""Examining a training: where its time goes, what limits it, and what helps."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from tunefast.doctor.findings import Anatomy, Doing, Finding, LeftAlone, Ready, Remedy, Request, Seen, Tried
from tunefast.doctor.floor import measure_rates
from tunefast.doctor.measuring import dissect
from tunefast.doctor.memory import measured
from tunefast.doctor.remedies import Patient, remedies
from tunefast.doctor.trying import RUN_SHARE, Case, least_seconds, try_remedy
from tunefast.recipe.recipe import RECIPE, TrainingRecipe

DISSECTING = 0.25
"""Of the time; as much again for the largest batch on a GPU, and the rest for remedies."""
ENOUGH = 1.5 / (1 - RUN_SHARE)
"""Times the least that a remedy takes, which it gets even where others then get nothing; with the short runs."""
COMPILING = 4
"""Times as long as other remedies take."""


def examine(request: Request, tell: Callable[[Finding], None]) -> None:
    """Measure what is asked for, and tell what is found when it is.

    Takes about as long as it is asked to after its first step, but for what cannot be cut short, as compilation.
    Raises what training raises: `ValueError` where parts do not fit, `DataError`, `torch.OutOfMemoryError`.
    """
    recipe, device = RECIPE.validate_python(request.recipe), torch.device(request.device)
    if not isinstance(recipe, TrainingRecipe):
        raise TypeError(type(recipe).__name__)
    until = time.monotonic() + request.seconds

    def begin() -> None:
        nonlocal until
        until = time.monotonic() + request.seconds
        tell(Ready())

    tell(Doing(what="where the time of a step goes"))
    anatomy = dissect(recipe, request.seed, device, request.seconds * DISSECTING, begin)
    rates = measure_rates(recipe.precision, device)
    searching = time.monotonic() + request.seconds * DISSECTING
    memory = measured(
        recipe,
        request.seed,
        device,
        anatomy.peak_memory_bytes,
        anatomy.num_train,
        goes_on=lambda: time.monotonic() < searching,
    )
    planned, left_alone = _planned(request, recipe, device, anatomy)
    seen = Seen(anatomy=anatomy, rates=rates, memory=memory, remedies=planned, left_alone=left_alone)
    tell(seen)
    case = Case(recipe, request.seed, device, request.threads, request.aim, anatomy)
    for position, remedy in enumerate(planned):
        tell(Doing(what=remedy.name))
        left = max(0.0, until - time.monotonic())
        weights = [_weight(each) for each in planned[position:]]
        enough = ENOUGH * least_seconds(case)  # rather one remedy measured than none
        tell(Tried(result=try_remedy(case, remedy, min(left, max(enough, left * weights[0] / sum(weights))))))


def _planned(
    request: Request, recipe: TrainingRecipe, device: torch.device, anatomy: Anatomy
) -> tuple[list[Remedy], list[LeftAlone]]:
    """What is tried in turn, and what is not and why."""
    facts = anatomy.is_images, anatomy.num_train, anatomy.has_batch_norm, anatomy.loads
    found = remedies(Patient(recipe, device, *facts, request.threads, request.cores))
    searched = set(request.searched)
    left = [each for each in found if isinstance(each, LeftAlone)]
    tried = []
    for remedy in (each for each in found if isinstance(each, Remedy)):
        shared = searched & remedy.changes.keys()
        if shared:
            left.append(LeftAlone(remedy.name, f"the study searches {', '.join(sorted(shared))}"))
        else:
            tried.append(remedy)
    return tried, left


def _weight(remedy: Remedy) -> int:
    return COMPILING if "hardware.compile" in remedy.changes else 1
