"""Replaying a search over recorded curves, through the pruning rules and early stopping that a study uses."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter
from collections.abc import Container, Iterator
from typing import NamedTuple, Protocol

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from benchmarks.curves import Task
from tunefast.recipe.recipe import RECIPE
from tunefast.recipe.stopping import EarlyStopping
from tunefast.search.pruning import Curve, PromotingRule, PruningRule, Standing, halfway, pruning_rule, warmup_epochs
from tunefast.spec.pruners import NoPruner, Pruner
from tunefast.store.view import SamplersView


class Policy(NamedTuple):
    """When trials are stopped."""

    name: str
    pruner: Pruner = NoPruner()
    patience: int | None = None


class Trial(NamedTuple):
    """A trial that is being replayed, in the order of its next report."""

    reports_at: int
    number: int
    recipe: int
    epoch: int
    """That it reports next."""


class Replayed(NamedTuple):
    """What came of a search."""

    epochs: int
    """That were spent."""
    value: float
    """Best of the complete trials, as a cost."""
    reached: bool


class Proposer(Protocol):
    """Says which recipe is next, and is told what became of each."""

    def next(self) -> int | None:
        """The number of a recipe; None where there is none left."""
        ...

    def wait(self, recipe: int, values: list[float]) -> None:
        """Take in the curve of a recipe that waits at a rung."""
        ...

    def go_on(self, recipe: int) -> None:
        """A recipe that waited trains on."""
        ...

    def tell(self, recipe: int, values: list[float], *, complete: bool) -> None:
        """Take in the curve of a recipe that was trained."""
        ...


class InOrder:
    """Proposes recipes in an order that was drawn before."""

    def __init__(self, order: NDArray[np.int64]) -> None:
        self._order: Iterator[int] = iter(order.tolist())

    def next(self) -> int | None:
        """The next one."""
        return next(self._order, None)

    def wait(self, recipe: int, values: list[float]) -> None:
        """It learns nothing."""

    def go_on(self, recipe: int) -> None:
        """It learns nothing."""

    def tell(self, recipe: int, values: list[float], *, complete: bool) -> None:
        """It learns nothing."""


class _Seen(optuna.storages.InMemoryStorage):
    """Trials as a study shows them to its sampler: those that wait at a rung are as good as stopped there."""

    def __init__(self) -> None:
        super().__init__()
        self.paused: set[int] = set()
        self._view = SamplersView()
        self._view.paused = self.paused

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """As they are shown."""
        trials = self._view.of(super().get_all_trials(study_id, deepcopy), self.get_study_directions(study_id))
        return [trial for trial in trials if states is None or trial.state in states]


class Tpe:
    """Optuna's TPE over a table: of the recipes that were not tried yet, the nearest to what it draws."""

    def __init__(self, task: Task, seed: int) -> None:
        self._table = task.settings
        self._left = set(range(len(task.settings)))
        self._storage = _Seen()
        self._study = optuna.create_study(
            direction="maximize" if task.maximize else "minimize",
            sampler=optuna.samplers.TPESampler(seed=seed),
            storage=self._storage,
        )
        self._space: dict[str, optuna.distributions.BaseDistribution] = {
            str(index): optuna.distributions.FloatDistribution(0, 1) for index in range(task.settings.shape[1])
        }
        self._trials: dict[int, optuna.Trial] = {}
        self._reported: Counter[int] = Counter()

    def next(self) -> int | None:
        """The nearest recipe that is left."""
        if not self._left:
            return None
        trial = self._study.ask(self._space)
        wanted = np.array([trial.params[name] for name in self._space])
        left = np.fromiter(self._left, dtype=np.int64)
        recipe = int(left[np.argmin(((self._table[left] - wanted) ** 2).sum(axis=1))])
        self._left.remove(recipe)
        self._trials[recipe] = trial
        return recipe

    def wait(self, recipe: int, values: list[float]) -> None:
        """It is seen as pruned, with its curve."""
        self._report(recipe, values)
        self._storage.paused.add(self._trials[recipe].number)

    def go_on(self, recipe: int) -> None:
        """It is seen as running."""
        self._storage.paused.remove(self._trials[recipe].number)

    def tell(self, recipe: int, values: list[float], *, complete: bool) -> None:
        """Complete with the best value, else pruned with the curve."""
        trial = self._trials[recipe]
        best = max if self._study.direction == optuna.study.StudyDirection.MAXIMIZE else min
        finite = [value for value in values if math.isfinite(value)]
        if complete and finite:
            self._study.tell(trial, best(finite))
            return
        self._report(recipe, values)
        self._study.tell(trial, state=TrialState.PRUNED)

    def _report(self, recipe: int, values: list[float]) -> None:
        for epoch, value in list(enumerate(values, start=1))[self._reported[recipe] :]:
            self._trials[recipe].report(value, epoch)
        self._reported[recipe] = len(values)


def replay(
    task: Task, policy: Policy, proposer: Proposer, *, workers: int, goal: float | None, most_epochs: float, trials: int
) -> Replayed:
    """Search until a trial that ends complete has reached `goal`, or the epochs or trials are spent."""
    return _Replay(task, policy, proposer, workers, goal).run(most_epochs, trials)


class _Replay:
    def __init__(self, task: Task, policy: Policy, proposer: Proposer, workers: int, goal: float | None) -> None:
        self._task, self._policy, self._proposer, self._workers, self._goal = task, policy, proposer, workers, goal
        self._sign = -1.0 if task.maximize else 1.0
        self._rule: PruningRule = pruning_rule(policy.pruner, maximize=task.maximize)
        schedule = {"name": "cosine" if task.annealed else "constant"}
        recipe = {"data": {"name": "digits"}, "schedule": schedule, "epochs": task.curves.shape[1]}
        self._warmup = warmup_epochs(policy.pruner, RECIPE.validate_python(recipe))
        self._patience: dict[int, EarlyStopping] = {}
        self._costs: dict[int, list[float]] = {}
        """The best of each running trial so far, after each epoch."""
        self._paused: dict[int, Trial] = {}
        self._value = math.inf
        self._hit: dict[int, int] = {}
        """When a running trial reached the goal, in epochs spent."""

    def run(self, most_epochs: float, trials: int) -> Replayed:
        running: list[Trial] = []
        numbers = itertools.count()
        spent = now = started = 0
        while True:
            while len(running) < self._workers:
                begun = self._promoted(now, last=started == trials)
                if begun is None and started < trials and (recipe := self._proposer.next()) is not None:
                    begun = self._begun(now, next(numbers), recipe)
                    started += 1
                elif begun is None:
                    started = trials  # there are no more
                    begun = self._promoted(now, last=True)
                if begun is None:
                    break
                heapq.heappush(running, begun)
            if not running or spent > most_epochs:
                return Replayed(spent, self._value, reached=False)
            trial = heapq.heappop(running)
            now, spent = trial.reports_at, spent + 1
            ending = self._ends(trial, spent)
            if ending is False and self._waits(trial):
                continue
            if ending is None:
                heapq.heappush(running, trial._replace(reports_at=now + 1, epoch=trial.epoch + 1))
            elif self._told(trial, complete=ending) and trial.number in self._hit:
                return Replayed(self._hit[trial.number], self._value, reached=True)

    def _waits(self, trial: Trial) -> bool:
        """Whether a trial that was not let go on waits at its rung; one that diverged has ended."""
        if not isinstance(self._rule, PromotingRule) or not math.isfinite(self._value_of(trial)):
            return False
        self._paused[trial.number] = trial
        values = self._task.curves[trial.recipe][: trial.epoch].tolist()
        curve = dict(enumerate(values, start=1))
        planned, annealed = self._task.curves.shape[1], self._task.annealed
        self._rule.learn(Curve(trial.number, curve, planned, running=True, paused=True, annealed=annealed))
        self._proposer.wait(trial.recipe, values)
        return True

    def _promoted(self, now: int, *, last: bool) -> Trial | None:
        """A trial that waited and goes on."""
        number = self._rule.promotable(last=last) if isinstance(self._rule, PromotingRule) else None
        if number is None or not isinstance(self._rule, PromotingRule):
            return None
        self._rule.promote(number)
        waited = self._paused.pop(number)
        self._proposer.go_on(waited.recipe)
        return waited._replace(reports_at=now + 1, epoch=waited.epoch + 1)

    def _value_of(self, trial: Trial) -> float:
        return float(self._task.curves[trial.recipe][trial.epoch - 1])

    def _begun(self, now: int, number: int, recipe: int) -> Trial:
        self._costs[number] = []
        if self._policy.patience is not None:
            mode = "max" if self._task.maximize else "min"
            self._patience[number] = EarlyStopping(monitor="value", patience=self._policy.patience, mode=mode)
        return Trial(now + 1, number, recipe, 1)

    def _ends(self, trial: Trial, spent: int) -> bool | None:
        """Whether it ends complete, or stopped; None where it goes on."""
        curve = self._task.curves[trial.recipe]
        value = float(curve[trial.epoch - 1])
        if not math.isfinite(value):
            return False
        costs = self._costs[trial.number]
        best = min([*costs[-1:], self._sign * value])
        costs.append(best)
        if self._goal is not None and best <= self._sign * self._goal:
            self._hit.setdefault(trial.number, spent)
        before = self._sign * costs[halfway(trial.epoch) - 1]
        standing = Standing(
            trial.number,
            trial.epoch,
            value,
            self._sign * best,
            len(curve),
            self._warmup,
            before,
            annealed=self._task.annealed,
        )
        if self._rule.judge(standing).prune:
            return False
        patience = self._patience.get(trial.number)
        stops = patience is not None and patience.update(trial.epoch, value)
        return True if stops or trial.epoch == len(curve) else None

    def _told(self, trial: Trial, *, complete: bool) -> bool:
        values = [float(value) for value in self._task.curves[trial.recipe][: trial.epoch]]
        curve = dict(enumerate(values, start=1))
        self._rule.learn(Curve(trial.number, curve, self._task.curves.shape[1], complete=complete))
        self._proposer.tell(trial.recipe, values, complete=complete)
        if complete:
            self._value = min(self._value, self._costs[trial.number][-1])
        return complete
