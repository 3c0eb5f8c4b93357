"""What the searches by hand have in common: a network, and Optuna in two processes up to a confirmed target.

`search` is what `benchmarks.optuna_script` and `benchmarks.optuna_tutorial` run; none of the three loads tunefast. The
processes are forked, so that libraries and data are loaded once for both; each trains with one thread. A trial ends
with the epoch that reaches the target, and the other process ends its own with the epoch that it is in. The winner is
trained again on fresh seeds, in both processes; a training counts with the epoch that reached the target, else with its
best one. Where their mean falls short, the search goes on for a trial that is better than the winner.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import optuna
import torch
from torch import nn

NUM_PROCESSES, NUM_SEEDS = 2, 3
NUM_CLASSES, NUM_STAGES, OUTPUT_SCALE = 10, 3, 0.125
FRESH_SEEDS = 1_000_000
WIDTHS = {"mnist": [6, 8, 12], "cifar10": [8, 12, 16]}
"""Channels of the first convolution that are searched, as tunefast searches them."""
STUDY = "by hand"
FORK = multiprocessing.get_context("fork")

Params = dict[str, Any]


class Task(NamedTuple):
    """What is searched for."""

    dataset: str
    data: Path
    target: float
    seed: int


class Loop(Protocol):
    """A training loop with its space, and how Optuna goes about it."""

    @property
    def pruner(self) -> optuna.pruners.BasePruner:
        """Which trials end early."""

    def storage(self) -> optuna.storages.RDBStorage:
        """The database in the working directory."""

    def suggest(self, trial: optuna.Trial) -> Params:
        """The five settings of a trial."""

    def train(self, params: Params, seed: int) -> Iterator[float]:
        """Train, and yield the validation accuracy after each epoch."""


class Scale(nn.Module):
    """Multiplies by `OUTPUT_SCALE`."""

    def forward(self, outputs: torch.Tensor) -> torch.Tensor:
        """The outputs, small."""
        return outputs * OUTPUT_SCALE


def network(channels: int, width: int, dropout: float = 0.0) -> nn.Sequential:
    """The network of ``studies/cifar10.toml``: a convolution, three that halve the maps, maxima, a linear layer."""
    layers: list[nn.Module] = [*_convolution(channels, width), nn.SiLU(inplace=True)]
    for _ in range(NUM_STAGES):
        convolution, norm = _convolution(width, 2 * width)
        layers += [convolution, nn.MaxPool2d(2), norm, nn.SiLU(inplace=True)]
        width *= 2
    layers += [nn.AdaptiveMaxPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Dropout(dropout), nn.Linear(width, NUM_CLASSES), Scale())


def _convolution(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False), nn.BatchNorm2d(outputs)


def search(loop: Loop, task: Task) -> dict[str, Any]:
    """Search and confirm until the mean over fresh seeds is at the target; returns what it took."""
    study = optuna.create_study(study_name=STUDY, storage=loop.storage(), direction="maximize")
    num_confirmations, confirming_seconds, bar, mean = 0, 0.0, task.target, 0.0
    while mean < task.target:
        search_to(loop, task, bar)
        best = study.best_trial
        start = time.perf_counter()
        seed = FRESH_SEEDS * (task.seed + 1) + NUM_SEEDS * num_confirmations
        values = confirm(loop, best.params, seed, task.target)
        confirming_seconds += time.perf_counter() - start
        num_confirmations += 1
        mean = statistics.fmean(values)
        bar = math.nextafter(best.value or 0.0, math.inf)
    return {
        "trials": len(study.get_trials(deepcopy=False)),
        "confirmations": num_confirmations,
        "confirming_seconds": confirming_seconds,
        "accuracy": mean,
        "params": best.params,
    }


def search_to(loop: Loop, task: Task, bar: float) -> None:
    """Search until a trial is at the `bar`. Raises `RuntimeError` where both processes ended before."""
    reached = FORK.Event()

    def work(rank: int) -> None:
        sampler = optuna.samplers.TPESampler(seed=NUM_PROCESSES * task.seed + rank)
        study = optuna.load_study(study_name=STUDY, storage=loop.storage(), sampler=sampler, pruner=loop.pruner)
        study.optimize(objective)

    def objective(trial: optuna.Trial) -> float:
        best = 0.0
        for epoch, accuracy in enumerate(loop.train(loop.suggest(trial), 1000 * task.seed + trial.number)):
            best = max(best, accuracy)
            trial.report(accuracy, epoch)
            if accuracy >= bar:
                reached.set()
            if reached.is_set():
                trial.study.stop()
                return best
            if trial.should_prune():
                raise optuna.TrialPruned
        return best

    in_processes(work)
    if not reached.is_set():
        raise RuntimeError("both processes ended before the target")


def confirm(loop: Loop, params: Params, first_seed: int, target: float) -> list[float]:
    """The accuracies of `params` on fresh seeds."""
    values = FORK.SimpleQueue()

    def work(rank: int) -> None:
        for index in range(rank, NUM_SEEDS, NUM_PROCESSES):
            values.put(counting(loop.train(params, first_seed + index), target))

    in_processes(work)
    return [values.get() for _ in range(NUM_SEEDS)]


def counting(accuracies: Iterator[float], target: float) -> float:
    """The first accuracy at the target, else the best."""
    best = 0.0
    for accuracy in accuracies:
        best = max(best, accuracy)
        if accuracy >= target:
            break
    return best


def in_processes(work: Callable[[int], None]) -> None:
    """Let each process do its share, and wait for all."""
    processes = [FORK.Process(target=work, args=(rank,)) for rank in range(NUM_PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def run(make: Callable[[Task], Loop], description: str | None) -> None:
    """The script's command line; prints one JSON document."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", choices=("mnist", "cifar10"), required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--target", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    torch.set_num_threads(1)  # before the fork, which must not happen while torch has threads of its own
    task = Task(**vars(parser.parse_args()))
    print(json.dumps(search(make(task), task)))
