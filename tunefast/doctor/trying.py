"""Trying remedies: the same training with and without, in turn."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

import torch
from pydantic import ValidationError

from tunefast.doctor.findings import Aim, Anatomy, Failed, Gain, Remedy
from tunefast.doctor.rounds import LEAST_ROUNDS, ROUNDS, mean_ratio
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.spec.wording import problem
from tunefast.train.batches import step_groups
from tunefast.train.features import feature_dataset
from tunefast.train.lane import Lane
from tunefast.train.loop import open_lane
from tunefast.train.timing import Backbone

RUN_SHARE = 1 / 3
"""Of the time of a trial, for the short run of each side; the rest is for the rounds."""


class Case(NamedTuple):
    """A training that remedies are tried on."""

    recipe: TrainingRecipe
    seed: int
    device: torch.device
    threads: int
    aim: Aim
    anatomy: Anatomy


class Side(NamedTuple):
    """A training with a remedy, or without."""

    recipe: TrainingRecipe
    threads: int
    lane: Lane

    def rate(self, steps: int) -> float:
        """Samples a second, over so many steps."""
        torch.set_num_threads(self.threads)
        started = time.perf_counter()
        totals = self.lane.train_epoch(1, steps)
        return totals.samples / (time.perf_counter() - started)

    def step_seconds(self) -> float:
        """Of one step."""
        torch.set_num_threads(self.threads)
        started = time.perf_counter()
        self.lane.train_epoch(1, 1)
        return time.perf_counter() - started

    def last_batch(self) -> Side | None:
        """The same training in batches as large as the last of an epoch; None where that is as large as the others."""
        recipe, lane = self.recipe, self.lane
        samples = torch.arange(len(lane.dataset.train))
        *_, (*_, last) = step_groups(samples, recipe.batch_size, 1, drop_last=recipe.drop_last)
        if len(last) == recipe.batch_size:
            return None
        changed = recipe.model_copy(update={"batch_size": len(last), "accumulation_steps": 1})
        return self._replace(recipe=changed, lane=open_lane(changed, lane.seed, lane.device))


def try_remedy(case: Case, remedy: Remedy, seconds: float) -> Gain | Failed:
    """Train with and without `remedy` in alternating rounds, and a short run of each: `seconds` in all, about.

    What does not fit into the time is not begun, or told to have had too little.
    """
    until = time.monotonic() + seconds
    least = least_seconds(case)
    if least > seconds:
        return Failed(remedy, f"it takes about {least:.0f} s, and there were {seconds:.0f}")
    try:
        return _tried(case, remedy, seconds, until)
    except Exception as error:  # noqa: BLE001  code of the user's own raises what it likes, and other remedies are tried
        return Failed(remedy, _in_a_line(error))
    finally:
        torch.set_num_threads(case.threads)


def least_seconds(case: Case) -> float:
    """What trying a remedy takes at least: two models, and both first steps and rounds of a step each."""
    return 2 * case.anatomy.open_seconds + 2 * (2 + LEAST_ROUNDS) * case.anatomy.step_seconds


def _in_a_line(error: Exception) -> str:
    """What went wrong: which setting takes what, or the kind of error with the last line of its message."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return ": ".join(filter(None, (".".join(map(str, first["loc"])), problem([first], []))))
    return ": ".join((type(error).__name__, *str(error).strip().splitlines()[-1:]))


def _tried(case: Case, remedy: Remedy, seconds: float, until: float) -> Gain | Failed:
    changed, backbone = remedy.applied(case.recipe), Backbone(case.device)
    new_features = changed.caches_features and not case.recipe.caches_features
    features = backbone.placeholders if new_features else feature_dataset
    without = Side(case.recipe, case.threads, open_lane(case.recipe, case.seed, case.device))
    with_it = Side(changed, remedy.threads or case.threads, open_lane(changed, case.seed, case.device, features))
    sides = without, with_it
    firsts = [side.step_seconds() for side in sides]
    last = with_it.last_batch() if "hardware.compile" in remedy.changes else None
    if last is not None:  # compiled too, and not in the midst of a round
        firsts[1] += last.step_seconds()
    steps_seconds = [side.step_seconds() for side in sides]
    left = max(0.0, until - time.monotonic()) - RUN_SHARE * seconds
    rounds = min(ROUNDS, int(left / sum(steps_seconds)))
    if rounds < LEAST_ROUNDS:
        first = f", of which its first step took {firsts[1]:.0f}" if 2 * firsts[1] > seconds else ""
        return Failed(remedy, f"{LEAST_ROUNDS} rounds would not have ended in {seconds:.0f} s{first}")
    share = left / rounds / 2
    steps = [_num_steps(side.lane, share, a_step) for side, a_step in zip(sides, steps_seconds, strict=True)]
    logs = []
    for _ in range(rounds):
        rates = [side.rate(num) for side, num in zip(sides, steps, strict=True)]
        logs.append(math.log(rates[1] / rates[0]))
    low, middle, high = mean_ratio(logs)
    extra = [max(0.0, first - later) for first, later in zip(firsts, steps_seconds, strict=True)]
    once = max(0.0, extra[1] - extra[0]) + backbone.features_seconds
    change = _change(case, without, with_it, max(RUN_SHARE * seconds / 2, until - time.monotonic()))
    return Gain(remedy, middle, low, high, once, change)


def _num_steps(lane: Lane, seconds: float, a_step: float) -> int:
    """About how many steps fit into `seconds`, of one epoch at most."""
    return max(1, min(lane.horizon.steps_per_epoch, int(seconds / max(a_step, 1e-6))))


def _change(case: Case, without: Side, with_it: Side, seconds: float) -> float | None:
    """By how much the metric is better with the change, after as many samples.

    None where no such metric is measured, or there is no time for two runs of a step.
    """
    anatomy = case.anatomy
    share = seconds / 2 - anatomy.open_seconds
    if share < anatomy.step_seconds:
        return None
    judged = anatomy.num_validation
    if not without.recipe.own_parts():  # which may need all samples
        judged = max(1, int(judged * min(1.0, share / 2 / max(anatomy.eval_seconds, 1e-9))))
    num = _num_steps(without.lane, share / 2, anatomy.step_seconds)
    scores: list[float] = []
    samples = 0
    for side in (without, with_it):
        torch.set_num_threads(side.threads)
        lane = open_lane(_unkept(side.recipe, case.recipe), case.seed, case.device)
        a_step = side.recipe.batch_size * side.recipe.accumulation_steps
        steps = num if not samples else max(1, math.ceil(samples / a_step))
        samples = lane.train_epoch(1, min(steps, lane.horizon.steps_per_epoch)).samples
        found = lane.evaluate(judged).get(case.aim.metric.removeprefix("val_"))
        if found is None:
            return None
        scores.append(found)
    return (1 if case.aim.maximize else -1) * (scores[1] - scores[0])


def _unkept(recipe: TrainingRecipe, original: TrainingRecipe) -> TrainingRecipe:
    """The same training in its first epoch, without features that would first have to be computed for all samples."""
    if not recipe.caches_features or original.caches_features:
        return recipe
    later = {"transfer": {**recipe.transfer.model_dump(), "unfreeze_epoch": max(2, recipe.epochs)}}
    return TrainingRecipe.model_validate({**recipe.table(), **later, "epochs": max(2, recipe.epochs)})
