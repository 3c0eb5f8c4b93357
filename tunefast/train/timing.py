"""What a recipe costs, measured by a few of its real steps."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch

from tunefast.nn.network import Network
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.train.datasets import Dataset, Samples
from tunefast.train.evaluate import eval_batch_size
from tunefast.train.features import compute_features, features_key, num_missing_features
from tunefast.train.lane import Lane
from tunefast.train.loop import open_lane
from tunefast.train.memory import forget_peak, peak_memory_bytes
from tunefast.train.preparing import Preparation

NUM_FEATURES = 32
"""Samples whose features are computed to see how long all will take."""


class Cost(NamedTuple):
    """What a recipe costs on a device; seconds are those of a clock on the wall."""

    open_seconds: float
    """From the start of a trial to its first step: the model, the optimizer, the data that is in the cache."""
    first_seconds: float
    """What the first step takes longer than another: compilation, mostly."""
    epoch_seconds: float
    """Of training, without evaluation."""
    eval_seconds: float
    """Of one evaluation."""
    samples_per_second: float
    """In training."""
    diverges: bool
    """Whether the loss of the first step is no finite number."""
    peak_memory_bytes: int
    """As an `EpochReport` has it."""
    features_seconds: float = 0.0
    """To compute the features of a frozen backbone that are not kept yet, once for all recipes that share them."""
    features_key: str = ""
    """Equal for recipes that share features; empty where nothing is kept."""


def measure_cost(recipe: TrainingRecipe, seed: int, device: torch.device, seconds: float) -> Cost:
    """Train `recipe` for steps of about `seconds`, or an epoch if that is shorter, and evaluate as much.

    Raises what training raises: `ValueError` where parts do not fit, `torch.OutOfMemoryError`.
    """
    forget_peak(device)
    started = time.perf_counter()
    backbone = Backbone(device)
    lane = open_lane(recipe, seed, device, backbone.placeholders)
    opened = time.perf_counter() - started - backbone.seconds
    stepped = time.perf_counter()
    diverges = not math.isfinite(lane.train_epoch(1, 1).loss)
    first = time.perf_counter() - stepped
    epoch = _whole(lambda steps: lane.train_epoch(1, steps), lane.horizon.steps_per_epoch, 1, seconds)
    batch = eval_batch_size(lane.dataset.validation, lane.preparation)
    evaluation = evaluation_seconds(lane, batch, seconds)
    return Cost(
        open_seconds=opened,
        first_seconds=max(0.0, first - epoch / lane.horizon.steps_per_epoch),
        epoch_seconds=epoch,
        eval_seconds=evaluation,
        samples_per_second=_samples(lane) / epoch,
        diverges=diverges,
        peak_memory_bytes=peak_memory_bytes(device),
        features_seconds=backbone.features_seconds,
        features_key=backbone.key,
    )


def evaluation_seconds(lane: Lane, batch: int, seconds: float) -> float:
    """Of the whole validation part, from about `seconds` of it.

    A metric of the user's own that a part of it is too little for sees all of it.
    """
    total = len(lane.dataset.validation)
    try:
        return _whole(lane.evaluate, total, batch, seconds)
    except Exception:
        if batch >= total or not lane.recipe.own_parts():
            raise
        return _seconds(lane.evaluate)


def _samples(lane: Lane) -> int:
    recipe, num_samples = lane.recipe, len(lane.dataset.train)
    return num_samples - num_samples % recipe.batch_size if recipe.drop_last else num_samples


def _whole(run: Callable[[int], object], total: int, least: int, seconds: float) -> float:
    """Seconds of ``run(total)``, from runs of growing size until one takes `seconds`.

    A run may cost something however short it is: two sizes tell that from the rest.
    """
    least = min(least, total)
    small = _seconds(lambda: run(least))
    size, taken = least, small
    while size < total and taken < seconds:
        size = min(total, max(2 * size, int(size * seconds / max(taken, 1e-6))))
        taken = _seconds(functools.partial(run, size))
    if size in (total, least):
        return taken * total / size
    rate = max(taken - small, 0.0) / (size - least)
    return taken + rate * (total - size)


def _seconds(run: Callable[[], object]) -> float:
    """How long `run` takes; it waits for the device itself."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


@dataclass
class Backbone:
    """Times a frozen backbone on a few samples, and lets zeros stand for the features of all."""

    device: torch.device
    seconds: float = 0.0
    """What the timing itself took."""
    features_seconds: float = 0.0
    key: str = ""

    def placeholders(
        self, recipe: TrainingRecipe, dataset: Dataset, network: Network, preparation: Preparation, device: torch.device
    ) -> Dataset:
        """`dataset` with zeros in the shape of its features for inputs."""
        started = time.perf_counter()
        few = replace(dataset.train, rows=dataset.train.rows[:NUM_FEATURES])
        compute = functools.partial(compute_features, few, network, preparation, recipe, device)
        shape = compute().shape[1:]
        rate = _seconds(compute) / len(few)
        self.features_seconds = rate * num_missing_features(recipe, dataset, network, preparation, device)
        self.key = features_key(recipe, dataset, network, preparation, device)
        self.seconds = time.perf_counter() - started

        def empty(samples: Samples) -> Samples:
            zeros = torch.zeros(1, device=device).expand(len(samples.inputs), *shape)
            layouts = samples.layouts._replace(inputs=None)
            return Samples(zeros, samples.targets.to(device), samples.rows.to(device), layouts)

        return replace(dataset, train=empty(dataset.train), validation=empty(dataset.validation))
