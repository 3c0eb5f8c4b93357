"""Where the time of a recipe's steps goes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

import torch

from tunefast.recipe.recipe import TrainingRecipe
from tunefast.spec.costs import BACKWARD_FLOPS
from tunefast.train.lane import Lane
from tunefast.train.loop import open_lane
from tunefast.train.memory import peak_memory_bytes
from tunefast.train.phases import Phases, Stopwatch

WARM_STEPS = 3
"""Before anything is timed: memory, algorithms, caches."""
PHASES = ("data", "preparation", "forward", "backward", "optimizer")


class Anatomy(NamedTuple):
    """Where the time of a recipe goes."""

    step_seconds: float
    """Of one optimizer step."""
    phases: Mapping[str, float]
    """The seconds of each of `PHASES` in a step, as measured with a stop at the end of each."""
    fixed_seconds: float
    """Of a step's computing: what it would take without any sample."""
    eval_seconds: float
    """Of one evaluation."""
    steps_per_epoch: int
    samples_per_step: int
    step_flops: float | None
    """Floating-point operations of a step; None where the model does not run on shapes alone."""
    num_parameters: int
    peak_memory_bytes: int
    is_images: bool
    num_train: int

    @property
    def computing_seconds(self) -> float:
        """Of a step: forward, backward and optimizer."""
        return sum(self.phases[phase] for phase in ("forward", "backward", "optimizer"))


def dissect(recipe: TrainingRecipe, seed: int, device: torch.device, seconds: float) -> Anatomy:
    """Train a few steps of `recipe`, `seconds` for each of the measurements, and evaluate once.

    Raises what training raises: `ValueError` where parts do not fit, `torch.OutOfMemoryError`.
    """
    lane = open_lane(recipe, seed, device)
    plain = seconds_a_step(lane, seconds)
    watch = Stopwatch(device)
    phases = _phases(lane, watch, seconds)
    fixed = _fixed_seconds(recipe, phases, seed, device, seconds)
    started = time.perf_counter()
    lane.evaluate()
    evaluated = time.perf_counter() - started
    samples = recipe.batch_size * recipe.accumulation_steps
    details, num_train = lane.details(), len(lane.dataset.train)
    flops = details.get("forward_flops")
    return Anatomy(
        step_seconds=plain,
        phases=phases,
        fixed_seconds=fixed,
        eval_seconds=evaluated,
        steps_per_epoch=lane.horizon.steps_per_epoch,
        samples_per_step=min(samples, num_train),
        step_flops=None if flops is None else flops * BACKWARD_FLOPS * min(samples, num_train),
        num_parameters=int(details["num_parameters"]),
        peak_memory_bytes=peak_memory_bytes(device),
        is_images=lane.raw.is_images,
        num_train=num_train,
    )


def seconds_a_step(lane: Lane, seconds: float) -> float:
    """Mean seconds of a step, over steps of about `seconds`."""
    steps = min(WARM_STEPS, lane.horizon.steps_per_epoch)
    lane.train_epoch(1, steps)
    while True:
        started = time.perf_counter()
        done = lane.train_epoch(1, steps).steps
        taken = time.perf_counter() - started
        if taken >= seconds or done == lane.horizon.steps_per_epoch:
            return taken / done
        steps = min(lane.horizon.steps_per_epoch, max(2 * steps, int(steps * seconds / max(taken, 1e-6))))


def _phases(lane: Lane, watch: Stopwatch, seconds: float) -> dict[str, float]:
    """Seconds of each phase in a step."""
    steps = min(WARM_STEPS, lane.horizon.steps_per_epoch)
    lane.phases = watch
    done, started = 0, time.perf_counter()
    found = dict.fromkeys(PHASES, 0.0)
    while not done or time.perf_counter() - started < seconds:
        watch.start()
        done += lane.train_epoch(1, steps).steps
        for phase in PHASES:
            found[phase] += watch.seconds[phase]
    lane.phases = Phases()
    return {phase: taken / done for phase, taken in found.items()}


def _fixed_seconds(
    recipe: TrainingRecipe, phases: Mapping[str, float], seed: int, device: torch.device, seconds: float
) -> float:
    """What a step's computing takes whatever its samples: the line through a batch and a quarter of it, at none."""
    quarter = max(1, recipe.batch_size // 4)
    if quarter == recipe.batch_size:
        return 0.0
    small = open_lane(recipe.model_copy(update={"batch_size": quarter}), seed, device)
    fewer = _phases(small, Stopwatch(device), seconds)
    computing = [sum(each[phase] for phase in ("forward", "backward", "optimizer")) for each in (phases, fewer)]
    slope = (computing[0] - computing[1]) / (recipe.batch_size - quarter)
    return min(computing[0], max(0.0, computing[0] - slope * recipe.batch_size))
