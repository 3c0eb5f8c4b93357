"""How long a study will take: its trials played through, with costs and curves that were measured."""

from __future__ import annotations

import heapq
import itertools
import math
import random
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from tunefast.search.budget import reached
from tunefast.search.pruning import Curve, PromotingRule, Standing, halfway, pruning_rule
from tunefast.search.race import RaceRule
from tunefast.spec.pruners import NoPruner
from tunefast.spec.samplers import GridSampler
from tunefast.spec.study import StudySpec

TRIAL_SECONDS = 0.02
"""From the end of a trial to the start of the next one: it is told, and another one asked for."""
REPORT_SECONDS = 0.001
"""From a worker's report to the answer."""
MOST_EPOCHS = 200_000
"""Epochs to play through in all."""
MOST_STUDIES = 60


class Kind(NamedTuple):
    """What trials may be like: a recipe that was tried."""

    weight: float
    open_seconds: float
    epoch_seconds: float
    epochs: int
    """That it trains for when nothing stops it."""
    warmup_epochs: int
    """Before it is judged."""
    curve: Sequence[float]
    """The study's metric after each epoch, up to where early stopping ended it."""
    best: Sequence[float]
    """The best value of the curve up to each epoch."""
    annealed: bool = False
    """Whether its learning rate ends low."""


def best_so_far(curve: Sequence[float], *, maximize: bool) -> list[float]:
    """The best value up to each epoch; NaN before the first number."""
    better = max if maximize else min

    def best_of(best: float, value: float) -> float:
        return value if math.isnan(best) else best if math.isnan(value) else better(best, value)

    return list(itertools.accumulate(curve, best_of))


class Range(NamedTuple):
    """Seconds that a study takes: in the middle, and nine of ten are between the other two."""

    middle: float
    low: float
    high: float
    trials: int
    """In the middle."""


class Forecast(NamedTuple):
    """How long a study takes, from the start of its workers."""

    with_stop_rules: Range | None
    """With pruner and early stopping; None where there are no such rules."""
    without: Range
    reaches_target: float | None
    """Share of the studies played through in which a trial reached the target; None where there is none."""


def forecast(spec: StudySpec, kinds: Sequence[Kind], workers: int, before_seconds: float) -> Forecast:
    """Play the study through with trials drawn from `kinds` at random, `before_seconds` after the start.

    A sampler that learns chooses better recipes later on, whose cost may differ: that is not in it.
    """
    races = spec.study.target is not None
    patient = any(len(kind.curve) < kind.epochs for kind in kinds)
    stops = races or patient or not isinstance(spec.study.pruner, NoPruner)
    plain = _Player(spec, kinds, workers, before_seconds, stops=False)
    without = plain.ranged()
    full = _Player(spec, kinds, workers, before_seconds, stops=True) if stops else plain
    ranged = full.ranged() if stops else None
    return Forecast(ranged, without, full.reached if spec.budget.target is not None else None)


class _Played(NamedTuple):
    seconds: float
    trials: int
    reached: bool


class _Running(NamedTuple):
    """A trial on a worker, in the order of its next report."""

    reports_at: float
    number: int
    epoch: int
    """That it reports next."""
    kind: Kind


class _Player:
    """Plays one spec through, many times."""

    def __init__(
        self, spec: StudySpec, kinds: Sequence[Kind], workers: int, before_seconds: float, *, stops: bool
    ) -> None:
        self._spec, self._kinds, self._workers, self._before, self._stops = spec, kinds, workers, before_seconds, stops
        self._weights = [kind.weight for kind in kinds]
        budget = spec.budget
        self._trials = budget.trials
        if isinstance(spec.study.sampler, GridSampler):
            self._trials = min(spec.num_cells, budget.trials or spec.num_cells)
        self._end = budget.minutes * 60 if budget.minutes is not None else float("inf")
        self._played: list[_Played] = []

    def ranged(self) -> Range:
        """What most studies take."""
        epochs = 0
        rng = random.Random(self._spec.study.seed)  # noqa: S311 - no secret
        while not self._played or (len(self._played) < MOST_STUDIES and epochs < MOST_EPOCHS):
            played, more = self._play(rng)
            self._played.append(played)
            epochs += more
        seconds = sorted(played.seconds for played in self._played)
        edge = len(seconds) // 20
        middle = int(statistics.median(played.trials for played in self._played))
        return Range(statistics.median(seconds), seconds[edge], seconds[-1 - edge], middle)

    @property
    def reached(self) -> float:
        """Share of the studies in which a trial reached the target."""
        return sum(played.reached for played in self._played) / len(self._played)

    def _play(self, rng: random.Random) -> tuple[_Played, int]:
        """One study, and the epochs that its trials reported."""
        rules = _StopRules(self._spec, stops=self._stops)
        running: list[_Running] = []
        started = epochs = 0
        now, done, reached = self._before, False, False
        while True:
            while len(running) < self._workers and not done:
                last = started == self._trials
                begun = rules.promoted(last=last, alone=not running)
                if begun is None and not last:
                    begun = _Running(now, started, 0, rng.choices(self._kinds, self._weights)[0])
                    started += 1
                if begun is None:
                    break
                heapq.heappush(running, self._on_worker(now, begun))
            if not running:
                return _Played(now, started, reached), epochs
            trial = heapq.heappop(running)
            now, epochs = trial.reports_at, epochs + 1
            reached = reached or (not done and rules.reach_target(trial))
            done = done or reached or now >= self._end
            if epochs == MOST_EPOCHS:
                return self._extrapolated(now, started), epochs
            if not done and not rules.end(trial):
                heapq.heappush(running, trial._replace(reports_at=self._next(now, trial.kind), epoch=trial.epoch + 1))

    def _extrapolated(self, now: float, started: int) -> _Played:
        """The study that would be if its first part is like the rest of it."""
        rate = (now - self._before) / started
        seconds = rate * self._trials if self._trials is not None else math.inf
        end = min(self._before + seconds, self._end)
        return _Played(end, round((end - self._before) / rate), reached=False)

    def _on_worker(self, now: float, trial: _Running) -> _Running:
        """A trial that has got to an epoch, or to none, and trains on from now."""
        reports_at = self._next(now + TRIAL_SECONDS + trial.kind.open_seconds, trial.kind)
        return trial._replace(reports_at=reports_at, epoch=trial.epoch + 1)

    @staticmethod
    def _next(now: float, kind: Kind) -> float:
        return now + kind.epoch_seconds + REPORT_SECONDS


class _StopRules:
    """What ends the trials of one study that is played: pruner, early stopping, the race."""

    def __init__(self, spec: StudySpec, *, stops: bool) -> None:
        section = spec.study
        self._stops = stops
        self._maximize = section.curve_maximize
        settings = section.pruner if stops else NoPruner()
        self._rule = pruning_rule(settings, maximize=section.curve_maximize, resumes=spec.trains_with_ours)
        self._target = section.target
        self._race = RaceRule(section.target, maximize=section.curve_maximize) if section.target is not None else None
        self._best: float | None = None
        """What the best trial of a race spent."""
        self._aim = None if section.has_several else spec.budget.target
        self._waiting: dict[int, _Running] = {}
        """Trials at their rungs."""

    def reach_target(self, trial: _Running) -> bool:
        """Whether a trial's report ends the study."""
        if self._aim is None or trial.epoch > len(trial.kind.curve):
            return False
        if self._target is not None:
            return self._has_won(trial) and _spent(trial) <= self._aim
        return reached(self._aim, trial.kind.curve[trial.epoch - 1], maximize=self._maximize)

    def _has_won(self, trial: _Running) -> bool:
        if self._target is None:
            return False
        return reached(self._target.value, trial.kind.curve[trial.epoch - 1], maximize=self._maximize)

    def end(self, trial: _Running) -> bool:
        """Whether a trial ends with its report, or waits."""
        kind, epoch = trial.kind, trial.epoch
        if epoch <= len(kind.curve) and not math.isfinite(kind.curve[epoch - 1]):
            return True
        if not self._stops:
            return epoch >= kind.epochs
        won = self._has_won(trial)
        if won:
            self._best = min(_spent(trial), self._best or math.inf)
        if won or epoch >= len(kind.curve):
            curve = dict(enumerate(kind.curve[:epoch], start=1))
            seconds = {each: each * kind.epoch_seconds for each in curve}
            self._learn(Curve(trial.number, curve, kind.epochs, complete=True, spent=seconds))
            return True
        value, best, before = kind.curve[epoch - 1], kind.best[epoch - 1], kind.best[halfway(epoch) - 1]
        spent = _spent(trial)  # steps take about as long in all trials
        standing = Standing(
            trial.number, epoch, value, best, kind.epochs, kind.warmup_epochs, before, spent, kind.annealed
        )
        lost = self._race is not None and self._race.judge(standing, spent, self._best).stop is not None
        pruned = self._rule.judge(standing).prune
        if pruned and not lost and isinstance(self._rule, PromotingRule):
            self._waiting[trial.number] = trial
            curve = dict(enumerate(kind.curve[:epoch], start=1))
            self._learn(Curve(trial.number, curve, kind.epochs, running=True, paused=True, annealed=kind.annealed))
        return pruned or lost

    def promoted(self, *, last: bool, alone: bool) -> _Running | None:
        """A trial that waited and goes on; `last` is whether no more begin, `alone` whether no other one trains."""
        if not isinstance(self._rule, PromotingRule):
            return None
        number = self._rule.next(last=last, alone=alone)
        if number is None:
            return None
        self._rule.promote(number)
        return self._waiting.pop(number)

    def _learn(self, curve: Curve) -> None:
        self._rule.learn(curve)
        if self._race is not None:
            self._race.learn(curve)


def _spent(trial: _Running) -> float:
    """Seconds that a trial has trained for."""
    return trial.epoch * trial.kind.epoch_seconds
