"""Trying remedies: the same training with and without, in turn."""

from __future__ import annotations

import math
import statistics
import time
from typing import NamedTuple

import torch
from pydantic import ValidationError
from scipy.stats import t

from tunefast.doctor.remedies import Remedy
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.train.lane import Lane
from tunefast.train.loop import open_lane

CONFIDENCE = 0.95
ROUNDS = 5
SHARES = 3
"""Into how many of them the time of a trial is cut: opening and warming, measuring, and the short run."""


class Aim(NamedTuple):
    """What a training is for."""

    metric: str
    maximize: bool


class Gain(NamedTuple):
    """What a remedy did."""

    remedy: Remedy
    ratio: float
    """Samples a second, times those without it: the geometric mean over the rounds."""
    low: float
    """Of the 95 % interval of that."""
    high: float
    first_seconds: float
    """What its first steps took longer than later ones: compilation, mostly."""
    metric_change: float | None
    """By how much the metric was better after a short run over as many samples from the same start."""

    @property
    def is_certain(self) -> bool:
        """Whether it is faster, by more than chance."""
        return self.low > 1.0


class Failed(NamedTuple):
    """A remedy that could not be tried."""

    remedy: Remedy
    why: str


def try_remedy(
    recipe: TrainingRecipe, remedy: Remedy, seed: int, device: torch.device, seconds: float, aim: Aim
) -> Gain | Failed:
    """Train with and without `remedy` in alternating rounds, `seconds` in all, and compare a short run of each."""
    try:
        changed = remedy.applied(recipe)
        lanes = open_lane(recipe, seed, device), open_lane(changed, seed, device)
        firsts = [_first_seconds(lane) for lane in lanes]
    except (ValidationError, ValueError, RuntimeError) as error:
        return Failed(remedy, str(error).strip().splitlines()[-1])
    share = seconds / SHARES / ROUNDS / len(lanes)
    steps = [_steps_in(lane, share) for lane in lanes]
    logs = []
    for _ in range(ROUNDS):
        without, with_it = (_rate(lane, num) for lane, num in zip(lanes, steps, strict=True))
        logs.append(math.log(with_it / without))
    mean, spread = statistics.fmean(logs), statistics.stdev(logs) / math.sqrt(ROUNDS)
    half = float(t.ppf(0.5 + CONFIDENCE / 2, ROUNDS - 1)) * spread
    change = _change(recipe, changed, seed, device, seconds / SHARES, aim)
    extra = max(0.0, firsts[1] - firsts[0])
    return Gain(remedy, math.exp(mean), math.exp(mean - half), math.exp(mean + half), extra, change)


def _first_seconds(lane: Lane) -> float:
    """What the first step takes, which a lane of compiled code compiles in."""
    started = time.perf_counter()
    lane.train_epoch(1, 1)
    return time.perf_counter() - started


def _steps_in(lane: Lane, seconds: float) -> int:
    """About how many steps fit into `seconds`, of one epoch at most."""
    started = time.perf_counter()
    lane.train_epoch(1, 1)
    a_step = time.perf_counter() - started
    return max(1, min(lane.horizon.steps_per_epoch, int(seconds / max(a_step, 1e-6))))


def _rate(lane: Lane, steps: int) -> float:
    """Samples a second."""
    started = time.perf_counter()
    totals = lane.train_epoch(1, steps)
    return totals.samples / (time.perf_counter() - started)


def _change(
    recipe: TrainingRecipe, changed: TrainingRecipe, seed: int, device: torch.device, seconds: float, aim: Aim
) -> float | None:
    """By how much the metric is better with the change, after as many samples; None where none is known or shown."""
    scores: list[float] = []
    samples = 0
    for each in (recipe, changed):
        lane = open_lane(each, seed, device)
        num = _steps_in(lane, seconds / 2) if not samples else _at_least(samples, each, lane)
        fresh = open_lane(each, seed, device)
        samples = fresh.train_epoch(1, num).samples
        found = fresh.evaluate().get(aim.metric.removeprefix("val_"))
        if found is None:
            return None
        scores.append(found)
    return (1 if aim.maximize else -1) * (scores[1] - scores[0])


def _at_least(samples: int, recipe: TrainingRecipe, lane: Lane) -> int:
    a_step = recipe.batch_size * recipe.accumulation_steps
    return min(lane.horizon.steps_per_epoch, max(1, math.ceil(samples / a_step)))
