"""What does each technique buy? The same short recipe with it and without it, five seeds each.

``python -m benchmarks.techniques --data DIR [--only NAME ...] [--results FILE] [--seeds N] [--threads N]
[--device NAME]``: `DIR` is CIFAR-10 as ``train/<class>/*``; the recipes and what they are measured against stand in
`benchmarks.technique_table`. Each recipe has a process of its own, and those of a family take turns, seed by seed.
`--only` takes families by name. With `--results` finished families are kept in a JSON file, and not run again.

Seconds are of training up to the first epoch whose validation accuracy reaches the target, and of the whole training;
building the network counts, evaluation does not. A first epoch that is not timed warms up, which includes compilation,
and shows the memory that training takes beyond what the process had before. Differences are means over the seeds, with
95 % intervals by Student's t over the pairs. A recipe this short shows what a technique costs, and what it does to a
training that underfits: what pays in long trainings only (mixup, cutout, dropout, decay) looks bad here.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import math
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.peers import Side, recipe_of
from benchmarks.technique_table import BASE, FAMILIES, FRACTION, VALIDATION, Family, Settings
from tunefast.recipe.stopping import EarlyStopping
from tunefast.spec.progress import Answer, EpochReport, Verdict
from tunefast.train.cache import CACHE_VARIABLE
from tunefast.train.loop import open_lane, train_lane
from tunefast.train.process import keep_freed_memory

TARGET = 0.36
STUDENT_T = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
"""Quantiles of 97.5 % by the number of pairs."""
OFF = ""
MIB = 2**20


class Run(NamedTuple):
    """One training."""

    to_target: float
    """Seconds; NaN where it was not reached."""
    seconds: float
    accuracy: float
    """Validation accuracy of the weights that count."""


class Measured(NamedTuple):
    """One recipe."""

    first_seconds: float
    """Of the epoch that warms up."""
    peak_bytes: int
    runs: list[Run]


def settings_of(family: Family, technique: str, folder: Path) -> Settings:
    """A recipe as plain data, with the technique or, for `OFF`, without any."""
    settings = {**BASE, **family.off, **(family.on[technique] if technique else {})}
    share = {"fraction": FRACTION, "validation": VALIDATION, **settings.get("data", {})}
    return {**settings, "data": {"name": "image_folder", "root": str(folder), **share}}


def first_epoch(settings: Settings, device: str) -> tuple[float, int]:
    """Seconds of one epoch in a new process, and the bytes that it took at most beyond what was there."""
    lane = open_lane(recipe_of(settings), 0, torch.device(device))
    before = _reset_peak(lane.device)
    start = time.perf_counter()
    lane.train_epoch(1)
    seconds = time.perf_counter() - start
    peak = _peak(lane.device) - before
    keep_freed_memory()
    return seconds, peak


def trained(settings: Settings, seed: int, target: float, device: str) -> Run:
    """Train to the end, as a worker does."""
    start = time.perf_counter()
    recipe = recipe_of(settings)
    lane = open_lane(recipe, seed, torch.device(device))
    built = time.perf_counter() - start
    patience = recipe.patience()
    rule = EarlyStopping(**patience.model_dump()) if patience is not None else None
    reports: list[EpochReport] = []
    training = train_lane(lane)
    report = next(training)
    while True:
        reports.append(report)
        stop = rule is not None and rule.update(report.epoch, report.metrics[rule.settings.monitor])
        try:
            report = training.send(Answer(verdict=Verdict.STOP if stop else Verdict.CONTINUE))
        except StopIteration:
            break
    kept = rule.best_epoch if rule is not None else len(reports)
    spent = [built + sum(each.train_seconds for each in reports[:epoch]) for epoch in range(1, len(reports) + 1)]
    reached = [seconds for seconds, each in zip(spent, reports, strict=True) if each.metrics["val_accuracy"] >= target]
    return Run(reached[0] if reached else math.nan, spent[-1], reports[kept - 1].metrics["val_accuracy"])


def measure(family: Family, folder: Path, seeds: int, threads: int, device: str) -> dict[str, Measured]:
    """All recipes of a family by technique; `OFF` is the one without."""
    target = TARGET if family.target is None else family.target
    recipes = {name: settings_of(family, name, folder) for name in (OFF, *family.on)}
    sides = {name: Side(threads) for name in recipes}
    found = {name: Measured(*sides[name].call(first_epoch, recipes[name], device), []) for name in recipes}
    for seed in range(seeds):
        for name, settings in recipes.items():
            found[name].runs.append(Run(*sides[name].call(trained, settings, seed, target, device)))
    for side in sides.values():
        side.close()
    return found


def _reset_peak(device: torch.device) -> int:
    """Forget the peak so far; returns the bytes that are in use."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _status("VmRSS")


def _peak(device: torch.device) -> int:
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else _status("VmHWM")


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def difference(on: Sequence[float], off: Sequence[float]) -> str:
    """Mean difference and its 95 % interval, over the pairs in which both are numbers."""
    pairs = [mine - yours for mine, yours in zip(on, off, strict=True) if not math.isnan(mine - yours)]
    if len(pairs) not in STUDENT_T:
        return "-"
    half = STUDENT_T[len(pairs)] * statistics.stdev(pairs) / math.sqrt(len(pairs))
    return f"{statistics.mean(pairs):+.3g} +- {half:.2g}"


def print_family(name: str, family: Family, found: dict[str, Measured]) -> None:
    """A line for the recipe without, and one for each technique."""
    print(f"\n{name}, against {family.against}; target {family.target or TARGET:.0%}")
    off = found[OFF]
    for technique, measured in found.items():
        columns = [_column(measured.runs, off.runs, field) for field in range(len(Run._fields))]
        print(
            f"  {technique or family.against:<32} {columns[0]:<30} {columns[1]:<28} {columns[2]:<28} "
            f"{measured.peak_bytes / MIB:6.0f} MiB   {measured.first_seconds:6.1f} s"
        )


def _column(runs: list[Run], off: list[Run], field: int) -> str:
    on, without = ([run[field] for run in of] for of in (runs, off))
    reached = [value for value in on if not math.isnan(value)]
    mean = f"{statistics.mean(reached):.3g}" if reached else "-"
    count = f" [{len(reached)}/{len(on)}]" if len(reached) < len(on) else ""
    return f"{mean}{count}" + ("" if runs is off else f" ({difference(on, without)})")


def main() -> None:
    """Run what is not there yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=list(FAMILIES), default=list(FAMILIES), metavar="NAME")
    parser.add_argument("--results", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    kept = _read(arguments.results)
    print(
        f"CIFAR-10, {FRACTION:.0%} of the training images; {arguments.seeds} seeds; {arguments.threads} threads; load"
    )
    print(f"before {os.getloadavg()[0]:.1f}. Columns: seconds to the target, seconds in all, accuracy, each with its")
    print("difference to the first line; peak memory of training; seconds of the first epoch of a process")
    with tempfile.TemporaryDirectory() as cache:
        os.environ[CACHE_VARIABLE] = cache
        for name in arguments.only:
            if name not in kept:
                data = arguments.data.absolute()
                kept[name] = measure(FAMILIES[name], data, arguments.seeds, arguments.threads, arguments.device)
                if arguments.results is not None:
                    arguments.results.write_text(json.dumps(kept), encoding="utf-8")
            print_family(name, FAMILIES[name], kept[name])


def _read(path: Path | None) -> dict[str, dict[str, Measured]]:
    if path is None or not path.exists():
        return {}
    table: dict[str, dict[str, list[Any]]] = json.loads(path.read_text(encoding="utf-8"))
    return {
        family: {
            name: Measured(first, peak, [Run(*run) for run in runs]) for name, (first, peak, runs) in found.items()
        }
        for family, found in table.items()
    }


if __name__ == "__main__":
    main()
