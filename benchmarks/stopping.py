"""Which rule stops the right trials? A replay of recorded learning curves through the code that a study uses.

``python -m benchmarks.stopping --data DIR [--seeds N] [--proposals random|tpe] [--workers N] [--only WORD ...]
[--json]``, where DIR has the curves of LCBench, TaskSet or ``benchmarks.record_curves``. Per task and seed 100 recipes
are drawn (all, where there are fewer); trained to the end in that order they reach some best value. A rule searches in
the same order (and on, where it has epochs left), until a complete trial is within 0.5 % of that value.

- speed-up: full random search's epochs over the rule's, both summed over the seeds; over tasks the mean is geometric
- success: it got there within the epochs of the 100
- kept: of the 100, the best recipe was not stopped and reached its best value
- saved: of the 100's epochs

Proposals by TPE are made for 4 workers unless `--workers` says otherwise, from the same table. `--only` takes the rules
that have one of the words in their names.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from pathlib import Path
from typing import NamedTuple

import numpy as np
import optuna
from numpy.typing import NDArray

from benchmarks.curves import Task, load
from benchmarks.replay import InOrder, Policy, Proposer, Replayed, Tpe, replay
from tunefast.spec.pruners import (
    AshaPruner,
    FastPruner,
    ForecastPruner,
    HyperbandPruner,
    MedianPruner,
    PercentilePruner,
    SafePruner,
)

NUM_TRIALS = 100
FULL = Policy("random search, all in full")
POLICIES = (
    Policy("median (tunefast's: warm-up 3 or 30 %)", MedianPruner()),
    Policy("safe", SafePruner()),
    Policy("safe, own training", SafePruner(promote=False)),
    Policy("safe, patience 10", SafePruner(), patience=10),
    Policy("forecast", ForecastPruner()),
    Policy("fast", FastPruner()),
    Policy("fast, own training", FastPruner(promote=False)),
    Policy("percentile 25", PercentilePruner()),
    Policy("asha 1/3", AshaPruner(reduction=3)),
    Policy("asha 1/4, promote", AshaPruner(promote=True)),
    Policy("asha 1/4, patience 10", AshaPruner(), patience=10),
    Policy("Optuna: median", MedianPruner(warmup_epochs=0)),
    Policy("Optuna: median, warm-up 5", MedianPruner(warmup_epochs=5)),
    Policy("Optuna: successive halving", AshaPruner(min_epochs=1, reduction=4)),
    Policy("Optuna: hyperband", HyperbandPruner()),
)


class Figures(NamedTuple):
    """What a policy did on one task with one seed."""

    full: int
    """Epochs that full random search spent."""
    spent: float
    success: bool
    kept: bool
    saved: float


class Setting(NamedTuple):
    """How searches are run."""

    tpe: bool
    """Whether TPE proposes, else a random order does."""
    workers: int


def search(task: Task, policy: Policy, seed: int, most_epochs: float, setting: Setting) -> Replayed:
    """One search for what the 100 recipes reach."""
    first, order = _orders(len(task.curves), seed)
    proposer: Proposer = Tpe(task, seed) if setting.tpe else InOrder(order)
    goal, workers = task.goal(first), setting.workers
    return replay(task, policy, proposer, workers=workers, goal=goal, most_epochs=most_epochs, trials=len(order))


def measure(task: Task, policy: Policy, seed: int, full: Replayed, setting: Setting) -> Figures:
    """One search for the goal, which full training found as `full` says, and one of 100 recipes."""
    first, _ = _orders(len(task.curves), seed)
    most = float(len(first) * task.curves.shape[1])
    found = search(task, policy, seed, most, setting)
    spent = found.epochs if found.reached else most
    proposer, workers = InOrder(first), setting.workers
    hundred = replay(task, policy, proposer, workers=workers, goal=None, most_epochs=math.inf, trials=NUM_TRIALS)
    best = task.best[first]
    wanted = -best.max() if task.maximize else best.min()
    saved = 1 - hundred.epochs / _full_epochs(task.curves[first])
    return Figures(full.epochs, spent, found.reached, hundred.value <= wanted, saved)


def _orders(count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The 100 recipes, and these followed by all the others."""
    order = np.random.default_rng(seed).permutation(count)
    return order[:NUM_TRIALS], order


def _full_epochs(curves: NDArray[np.float64]) -> int:
    """Epochs of training every recipe to its end, or to where it diverges."""
    finite = np.isfinite(curves)
    return int(np.where(finite.all(axis=1), curves.shape[1], np.argmin(finite, axis=1) + 1).sum())


def _geometric(values: list[float]) -> float:
    return math.exp(statistics.fmean(math.log(value) for value in values))


def main() -> None:
    """Replay all policies on all tasks and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--proposals", choices=("random", "tpe"), default="random")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--only", nargs="+", default=[""], metavar="WORD")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    tasks = load(arguments.data)
    if not tasks:
        parser.error(f"--data {arguments.data}: no learning curves there")
    tpe = arguments.proposals == "tpe"
    setting, seeds = Setting(tpe, arguments.workers or (4 if tpe else 1)), range(arguments.seeds)
    policies = [policy for policy in POLICIES if any(word in policy.name for word in arguments.only)]
    result: dict[str, dict[str, dict[str, float]]] = {}
    for metric in sorted({task.metric for task in tasks}):
        of_metric = [task for task in tasks if task.metric == metric]
        result[metric] = {}
        full = {task.name: [search(task, FULL, seed, math.inf, setting) for seed in seeds] for task in of_metric}
        for policy in policies:
            figures = {
                task.name: [measure(task, policy, seed, full[task.name][seed], setting) for seed in seeds]
                for task in of_metric
            }
            result[metric][policy.name] = _summary(figures)
        if not arguments.json:
            how = f"{len(seeds)} seeds, {arguments.proposals}, {setting.workers} workers"
            _print(f"{metric}: {len(of_metric)} tasks, {how}", result[metric])
    if arguments.json:
        print(json.dumps(result))


def _summary(figures: dict[str, list[Figures]]) -> dict[str, float]:
    every = [found for of_task in figures.values() for found in of_task]
    by_task = {
        name: sum(found.full for found in of_task) / sum(found.spent for found in of_task)
        for name, of_task in figures.items()
    }
    return {
        "speed_up": _geometric(list(by_task.values())),
        "worst_task": min(by_task.values()),
        "success": statistics.fmean(found.success for found in every),
        "kept": statistics.fmean(found.kept for found in every),
        "saved": statistics.fmean(found.saved for found in every),
    }


def _print(title: str, table: dict[str, dict[str, float]]) -> None:
    print(f"{title}\n{'':<40}{'speed-up':>9}{'worst task':>11}{'success':>9}{'kept':>7}{'saved':>7}")
    for name, row in table.items():
        shares = f"{row['success']:>9.1%}{row['kept']:>7.0%}{row['saved']:>7.0%}"
        print(f"{name:<40}{row['speed_up']:>8.2f}x{row['worst_task']:>10.2f}x{shares}", flush=True)
    print()


if __name__ == "__main__":
    main()
