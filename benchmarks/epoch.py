"""What does an epoch cost? tunefast against the plain PyTorch loop, with the same network and batch size.

``python -m benchmarks.epoch --data DIR [--subset N] [--rounds N] [--threads N] [--json]``: one epoch of a small
convolutional network on CIFAR-10 (a folder with ``train/<class>/*`` and ``test/<class>/*``), from new weights, with
crop and flip, Adam at 1e-3 and batches of 32 on all sides. tunefast runs in fp32 and in the precision that it chooses
for this machine. By default the sides train on 9,000 of the 45,000 images (``--subset 0`` takes all): the rate does not
depend on the number. Decoding is left out, and so is evaluation. Rounds alternate, each with its own seed; the plain
loop's DataLoader gets the number of worker processes that is fastest here.

The figures are void where tunefast's loss over the epoch is above the plain loop's by more than `TOLERANCE`.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Callable
from typing import Any

from benchmarks.peers import (
    PADDING,
    PLAIN_BATCH_SIZE,
    PLAIN_LR,
    Cifar10,
    Side,
    Trained,
    options,
    plain,
    rates_by_workers,
    tunefast,
)

NUM_IMAGES = 45_000
WORKER_COUNTS = (0, 1, 2)
TOLERANCE = 0.03
"""Share of the plain loop's loss, as medians over the rounds."""
PLAIN = "plain PyTorch"


def recipe(data: Cifar10, precision: str) -> dict[str, Any]:
    """What the plain loop trains, as a recipe."""
    return {
        "epochs": 1,
        "data": data.part,
        "model": {"name": "small_cnn", "width": 32, "depth": 3},
        "optimizer": {"name": "adam", "lr": PLAIN_LR},
        "augment": {"flip": "random", "crop_padding": PADDING},
        "batch_size": PLAIN_BATCH_SIZE,
        "precision": precision,
    }


def measure(data: Cifar10, num_workers: int, rounds: int, threads: int) -> dict[str, list[Trained]]:
    """One epoch of each side a round, in turn, each side in a process of its own."""
    loops: dict[str, Callable[[int], tuple[Any, ...]]] = {
        "tunefast, auto": lambda seed: (tunefast, recipe(data, "auto"), seed),
        "tunefast, fp32": lambda seed: (tunefast, recipe(data, "fp32"), seed),
        PLAIN: lambda seed: (plain, data, seed, 1, num_workers),
    }
    sides = {name: Side(threads) for name in loops}
    found: dict[str, list[Trained]] = {name: [] for name in loops}
    for seed in range(rounds):
        for name, arguments in loops.items():
            found[name] += sides[name].train(*arguments(seed))
    for side in sides.values():
        side.close()
    return found


def main() -> None:
    """Run the rounds and print the table; exits with an error where the losses disagree."""
    parser = options(__doc__)
    parser.add_argument("--subset", type=int, default=9000, help="training images; 0 for all")
    arguments = parser.parse_args()
    data = Cifar10(arguments.data, arguments.subset / NUM_IMAGES if arguments.subset else 1.0)
    num_samples = len(data.images()[0].targets)
    rates = rates_by_workers(data._replace(fraction=2000 / NUM_IMAGES), WORKER_COUNTS, arguments.threads)
    num_workers = max(rates, key=lambda count: rates[count])
    load = os.getloadavg()[0]
    found = measure(data, num_workers, arguments.rounds, arguments.threads)
    if arguments.json:
        print(json.dumps({"epochs": found, "loader_workers": rates, "samples": num_samples}))
    else:
        print(f"one epoch of {num_samples} images, batches of {PLAIN_BATCH_SIZE}; {arguments.rounds} rounds;")
        print(
            f"{arguments.threads} threads a side; load before {load:.1f}, after {os.getloadavg()[0]:.1f}; plain loop by"
        )
        print("loader workers, samples/s: " + ", ".join(f"{count}: {rate:.0f}" for count, rate in rates.items()))
        print_table(found, num_samples)
    _check_losses(found)


def print_table(found: dict[str, list[Trained]], num_samples: int) -> None:
    """A line a side: median seconds and spread, samples a second, gain over the plain loop, loss, accuracy."""
    for name, epochs in found.items():
        seconds = [epoch.seconds for epoch in epochs]
        ratios = [theirs.seconds / ours for ours, theirs in zip(seconds, found[PLAIN], strict=True)]
        median = statistics.median(seconds)
        spread = f"({min(seconds):.2f} to {max(seconds):.2f})"
        times = f"{statistics.median(ratios):5.2f} x ({min(ratios):.2f} to {max(ratios):.2f})"
        loss, accuracy = (statistics.median(values) for values in zip(*(epoch[1:] for epoch in epochs), strict=True))
        print(
            f"{name:<16} {median:7.2f} s {spread:<18} {num_samples / median:6.0f}/s  {times:<24} "
            f"loss {loss:.3f}, test accuracy {accuracy:.3f}"
        )


def _check_losses(found: dict[str, list[Trained]]) -> None:
    losses = {name: statistics.median(epoch.loss for epoch in epochs) for name, epochs in found.items()}
    if max(losses.values()) > losses[PLAIN] * (1 + TOLERANCE):
        raise SystemExit(f"void: a loss is more than {TOLERANCE:.0%} above the plain loop's: {losses}")


if __name__ == "__main__":
    main()
