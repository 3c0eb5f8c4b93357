"""Where the time of a recipe's steps goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import nn

from tunefast.doctor.findings import PHASES, Anatomy, computing
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.spec.costs import BACKWARD_FLOPS
from tunefast.train.evaluate import eval_batch_size
from tunefast.train.lane import Lane
from tunefast.train.loop import open_lane
from tunefast.train.memory import forget_peak, peak_memory_bytes
from tunefast.train.phases import Phases, Stopwatch
from tunefast.train.timing import evaluation_seconds

ROUNDS = 9
"""In which whole and smaller batches take turns; the quickest of each counts, since others may use the machine too."""


def dissect(
    recipe: TrainingRecipe,
    seed: int,
    device: torch.device,
    seconds: float,
    on_started: Callable[[], None] = lambda: None,
) -> Anatomy:
    """Train and evaluate for about `seconds` in all, and for one step at least.

    The first step, which loads and may compile, does not count: `on_started` is called after it. Raises what training
    raises: `ValueError` where parts do not fit, `torch.OutOfMemoryError`.
    """
    forget_peak(device)
    lane = open_lane(recipe, seed, device)
    lane.train_epoch(1, 1)
    on_started()
    started = time.perf_counter()
    open_lane(recipe, seed, device)  # as any later one, whose data is there
    opened = time.perf_counter() - started
    share = seconds / 3
    step, fixed = _split(recipe, lane, device, _num_steps(lane, share))
    batch = eval_batch_size(lane.dataset.validation, lane.preparation)
    evaluated = evaluation_seconds(lane, batch, share / 2)
    details, num_train = lane.details(), len(lane.dataset.train)
    flops = details.get("forward_flops")
    samples = min(recipe.batch_size * recipe.accumulation_steps, num_train)
    resident = lane.dataset.train.inputs.device.type == device.type
    return Anatomy(
        step_seconds=step.seconds,
        phases=step.phases,
        fixed_seconds=fixed,
        eval_seconds=evaluated,
        epochs=recipe.epochs,
        steps_per_epoch=lane.horizon.steps_per_epoch,
        samples_per_step=samples,
        step_flops=None if flops is None else flops * BACKWARD_FLOPS * samples,
        num_parameters=int(details["num_parameters"]),
        peak_memory_bytes=peak_memory_bytes(device),
        is_images=lane.raw.is_images,
        num_train=num_train,
        num_validation=len(lane.dataset.validation),
        has_batch_norm=any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in lane.network.modules()),  # noqa: SLF001
        loads=not resident or (device.type == "cpu" and recipe.hardware.loading == "loader"),
        open_seconds=opened,
    )


class _Step(NamedTuple):
    """A step of a training."""

    seconds: float
    phases: Mapping[str, float]


def _num_steps(lane: Lane, seconds: float) -> int:
    """How many steps take about `seconds`; an epoch of them at most."""
    steps, whole = 1, lane.horizon.steps_per_epoch
    while True:
        started = time.perf_counter()
        done = lane.train_epoch(1, steps).steps
        taken = time.perf_counter() - started
        if 2 * taken >= seconds or done == whole:
            return done
        steps = min(whole, max(2 * steps, int(steps * seconds / max(taken, 1e-6))))


def _split(recipe: TrainingRecipe, lane: Lane, device: torch.device, steps: int) -> tuple[_Step, float]:
    """The quickest step, and what its computing takes whatever the samples: of as many steps as given.

    The latter is the line through a batch and a quarter of it, at none; 0 where there is time for a single step, which
    is no small one then. On a CPU that line is through CPU time, which others who use the machine do not change.
    """
    quarter = max(1, recipe.batch_size // 4)
    each = max(1, steps // ROUNDS)
    if quarter == recipe.batch_size or steps == 1:
        return _quickest([_both(lane, device, each)]), 0.0
    small = open_lane(recipe.model_copy(update={"batch_size": quarter}), lane.seed, device)
    small.train_epoch(1, 1)
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    rounds = [
        (_both(lane, device, each), *(_stopped(one, device, each, clock).phases for one in (lane, small)))
        for _ in range(ROUNDS)
    ]
    both, *sizes = zip(*rounds, strict=True)
    step = _quickest(both)
    whole, fewer = (min(map(computing, taken)) for taken in sizes)
    slope = (whole - fewer) / (recipe.batch_size - quarter)
    fixed = min(1.0, max(0.0, 1.0 - slope * recipe.batch_size / max(whole, 1e-9)))
    return step, fixed * computing(step.phases)


def _both(lane: Lane, device: torch.device, steps: int) -> tuple[float, _Step]:
    """Seconds of a step as it is, and one with stops; on a CPU, where stops take no time, of the same steps."""
    if device.type == "cpu":
        stopped = _stopped(lane, device, steps)
        return stopped.seconds, stopped
    started = time.perf_counter()
    done = lane.train_epoch(1, min(steps, lane.horizon.steps_per_epoch)).steps
    return (time.perf_counter() - started) / done, _stopped(lane, device, steps)


def _quickest(rounds: Sequence[tuple[float, _Step]]) -> _Step:
    """The least seconds of a step as it is, with the phases of the quickest with stops."""
    plain, stopped = zip(*rounds, strict=True)
    return _Step(min(plain), min(stopped, key=lambda step: step.seconds).phases)


def _stopped(lane: Lane, device: torch.device, steps: int, clock: Callable[[], float] = time.perf_counter) -> _Step:
    """A step with a stop at the end of each phase, over so many steps."""
    watch = lane.phases = Stopwatch(device, clock)
    started = clock()
    watch.start()
    done = lane.train_epoch(1, min(steps, lane.horizon.steps_per_epoch)).steps
    taken = clock() - started
    lane.phases = Phases()
    return _Step(taken / done, {phase: watch.seconds[phase] / done for phase in PHASES})
