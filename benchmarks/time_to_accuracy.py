"""How soon does one training reach 65 % on CIFAR-10? tunefast's shipped recipe against two loops of plain PyTorch.

``python -m benchmarks.time_to_accuracy --data DIR [--rounds N] [--threads N] [--json]``: seconds of training until the
test accuracy, measured after each epoch, is at least `TARGET`. Decoding and evaluation are left out on all sides.
tunefast trains the recipe of ``studies/cifar10.toml`` on `DIR`, with ``train/<class>/*`` and ``test/<class>/*`` in it;
the peers are the plain loop and the same loop tuned by hand, both in `benchmarks.peers`. All train on the same 45,000
images. Rounds alternate, each with its own seed, and each side has a process of its own. The plain loop's DataLoader
gets the number of worker processes that is fastest here; the tuned loop's cycle is `TUNED_EPOCHS` long, the shortest
that got there.

A side that has not got there after its last epoch makes the figures void. Below the table stands the floor: the
floating-point operations of tunefast's training over the rate at which this machine multiplies large matrices.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.peers import CPU, Cifar10, Side, Trained, lane_of, options, plain, rates_by_workers, tuned, tunefast
from tunefast.recipe.precision import resolve
from tunefast.spec.costs import BACKWARD_FLOPS
from tunefast.spec.load import load_spec

STUDY = Path(__file__).parents[1] / "studies" / "cifar10.toml"
TARGET = 0.65
PLAIN_EPOCHS, TUNED_EPOCHS = 15, 5
WORKER_COUNTS = (0, 1, 2)
WORKER_SAMPLES = 2 / 45
"""Share of the training images over which the numbers of workers are compared."""
OURS, PLAIN, TUNED = "tunefast", "plain PyTorch", "tuned by hand"
MATRIX_SIDE = 2048


def shipped_recipe(data: Cifar10) -> dict[str, Any]:
    """The fixed part of the shipped study's recipe, over `data`."""
    return {**load_spec(STUDY).recipe, "data": data.part}


def measure(data: Cifar10, num_workers: int, rounds: int, threads: int) -> dict[str, list[list[Trained]]]:
    """A training of each side a round, in turn, each side in a process of its own."""
    settings = shipped_recipe(data)
    loops: dict[str, Callable[[int], tuple[Any, ...]]] = {
        OURS: lambda seed: (tunefast, settings, seed),
        TUNED: lambda seed: (tuned, data, seed, TUNED_EPOCHS),
        PLAIN: lambda seed: (plain, data, seed, PLAIN_EPOCHS, num_workers),
    }
    sides = {name: Side(threads) for name in loops}
    found: dict[str, list[list[Trained]]] = {name: [] for name in loops}
    for seed in range(rounds):
        for name, arguments in loops.items():
            found[name].append(sides[name].train(*arguments(seed), target=TARGET))
    for side in sides.values():
        side.close()
    return found


def training_flops(data: Cifar10) -> float:
    """Floating-point operations of the products and convolutions of tunefast's whole training."""
    lane = lane_of(shipped_recipe(data), 0)
    return lane.details()["forward_flops"] * BACKWARD_FLOPS * len(lane.dataset.train) * lane.recipe.epochs


def matrix_rate(precision: torch.dtype) -> float:
    """Floating-point operations a second of a product of large matrices: the best of many."""
    left, right = (torch.randn(MATRIX_SIDE, MATRIX_SIDE).to(precision) for _ in range(2))
    best = 0.0
    for _ in range(30):
        start = time.perf_counter()
        torch.mm(left, right)
        best = max(best, 2 * MATRIX_SIDE**3 / (time.perf_counter() - start))
    return best


def main() -> None:
    """Run the rounds and print the table; exits with an error where a side did not get there."""
    arguments = options(__doc__).parse_args()
    torch.set_num_threads(arguments.threads)
    data = Cifar10(arguments.data)
    rates = rates_by_workers(data._replace(fraction=WORKER_SAMPLES), WORKER_COUNTS, arguments.threads)
    num_workers = max(rates, key=lambda count: rates[count])
    load = os.getloadavg()[0]
    found = measure(data, num_workers, arguments.rounds, arguments.threads)
    if arguments.json:
        print(json.dumps(found))
    else:
        print(f"seconds of training to {TARGET:.0%} of CIFAR-10's test images; {arguments.rounds} rounds;")
        print(f"{arguments.threads} threads a side, plain loop with {num_workers} loader workers;")
        print(f"load before {load:.1f}, after {os.getloadavg()[0]:.1f}")
        print_table(found)
        print_floor(data, statistics.median(training[-1].seconds for training in found[OURS]))
    missed = [name for name, trainings in found.items() if any(run[-1].accuracy < TARGET for run in trainings)]
    if missed:
        raise SystemExit(f"void: {', '.join(missed)} did not reach {TARGET:.0%} in every round")


def print_table(found: dict[str, list[list[Trained]]]) -> None:
    """A line a side: median seconds and spread, how many times tunefast's, epochs, and accuracies at the end."""
    ours = [training[-1].seconds for training in found[OURS]]
    for name, trainings in found.items():
        seconds = [training[-1].seconds for training in trainings]
        ratios = [theirs / mine for theirs, mine in zip(seconds, ours, strict=True)]
        accuracies = [training[-1].accuracy for training in trainings]
        spread = f"({min(seconds):.1f} to {max(seconds):.1f})"
        times = f"{statistics.median(ratios):5.1f} x ({min(ratios):.1f} to {max(ratios):.1f})"
        epochs = statistics.median(len(training) for training in trainings)
        print(
            f"{name:<14} {statistics.median(seconds):7.1f} s {spread:<18} {times:<22} {epochs:g} epochs, "
            f"test accuracy {min(accuracies):.3f} to {max(accuracies):.3f}"
        )


def print_floor(data: Cifar10, seconds: float) -> None:
    """What the training would take if all of its arithmetic ran as large products of matrices do."""
    flops = training_flops(data)
    precision = resolve(shipped_recipe(data).get("precision", "fp32"), CPU)
    rate = matrix_rate(torch.bfloat16 if precision == "bf16" else torch.float32)
    print(
        f"floor: {flops / 1e12:.2f} TFLOP at {rate / 1e9:.0f} GFLOP/s in {precision} is {flops / rate:.1f} s; "
        f"the training ran at {flops / rate / seconds:.0%} of that rate"
    )


if __name__ == "__main__":
    main()
