"""How much memory do a technique's tensors take at most? Beside `benchmarks.techniques`, which sees whole processes.

``python -m benchmarks.tensor_memory --data DIR [--family NAME]``: the recipes of a family of
`benchmarks.technique_table`, an epoch each after one that warms up. What is counted is every tensor that torch
allocates on the CPU beyond those that are there before the epoch: activations, gradients, batches. A process's resident
memory, in which the allocator keeps what it likes, differs by tens of MiB between equal trainings.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.peers import CPU, recipe_of
from benchmarks.technique_table import FAMILIES
from benchmarks.techniques import MIB, OFF, settings_of
from tunefast.train.lane import Lane
from tunefast.train.loop import open_lane


def peak_bytes(lane: Lane, epoch: int) -> int:
    """The most that tensors took in an epoch beyond what they took before it."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        lane.train_epoch(epoch)
    results = recorded.profiler.kineto_results
    changes = sorted((event for event in results.events() if event.name() == "[memory]"), key=lambda e: e.start_ns())
    total = peak = 0
    for change in changes:
        total += change.nbytes()
        peak = max(peak, total)
    return peak


def main() -> None:
    """Print a line for each recipe of the family."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--family", choices=list(FAMILIES), default="accumulation")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    family = FAMILIES[arguments.family]
    for technique in (OFF, *family.on):
        lane = open_lane(recipe_of(settings_of(family, technique, arguments.data.absolute())), 0, CPU)
        lane.train_epoch(1)
        print(f"{technique or family.against:<32} {peak_bytes(lane, 2) / MIB:7.1f} MiB")


if __name__ == "__main__":
    main()
