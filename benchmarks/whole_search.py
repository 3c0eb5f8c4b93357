"""How long is it from typing the command to a confirmed target? tunefast against two searches by hand with Optuna.

``python -m benchmarks.whole_search --data DIR [--rounds N] [--datasets mnist cifar10] [--only ours script tutorial]
[--limit SECONDS] [--json]``: `DIR` has ``mnist/MNIST/raw`` and, in a folder ``cifar10`` or packed as
``cifar10-imagefolder.tar.gz``, CIFAR-10 as ``train/<class>/*`` and ``test/<class>/*``. They are unpacked for all sides
before any clock runs.

Each study starts as a command in an empty directory, with no database and no decoded data; its clock stops when its
last command ends. It searches five settings with two workers of one thread, up to a trial at `TARGETS`, then trains
that one again on three fresh seeds: the target is confirmed where the mean over the three, of the same validation
images, is at it. Where it is not, the search goes on for a better trial, on all sides alike. A study that takes longer
than the limit counts as one that never gets there. Rounds alternate; the round's number is every study's seed.

- ours: ``study run --confirm 1 --seeds 3`` over the recipe and the space of ``studies/cifar10.toml``, for MNIST smaller
  and without flips; without the values that the recipe gives to searched settings, so that the first trial is the
  middle of the space. The study optimises the accuracy and ends at the target: a race would look
  on for a recipe that is there sooner than the first one, and trials of a single epoch leave it nothing to stop.
- script: `benchmarks.optuna_script`, well written by hand: the same network, the same widths and image sizes.
- tutorial: `benchmarks.optuna_tutorial`, the same network in the loop of tutorials.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tomlkit

from tunefast.train.cache import CACHE_VARIABLE

ROOT = Path(__file__).parents[1]
STUDY = ROOT / "studies" / "cifar10.toml"
TARGETS = {"mnist": 0.985, "cifar10": 0.65}
NAME = "whole"
WORKERS, SEEDS = 2, 3
MOST_TRIALS = 1000
"""More than any study gets to within its limit: time is the budget."""
MNIST_SPACE = {"model.width": {"choices": [6, 8, 12]}, "preprocess.image_size": {"choices": [14, 16, 20]}}
"""One grey channel of strokes needs less than colours: from half of the digits' 28 pixels on."""
GRACE_SECONDS = 60
OURS = "ours"


class Found(NamedTuple):
    """What a study came to."""

    seconds: float
    """From the first command to the end of the last; infinite where the limit came before."""
    confirming_seconds: float = 0.0
    """Of that, the confirmations."""
    trials: int = 0
    confirmations: int = 0
    accuracy: float = math.nan
    """Mean over the fresh seeds."""


class Study(NamedTuple):
    """A study to be done."""

    dataset: str
    data: Path
    seed: int
    folder: Path
    """Empty; commands are typed here."""
    deadline: float
    """On the performance counter."""

    @property
    def target(self) -> float:
        """The validation accuracy that is wanted."""
        return TARGETS[self.dataset]

    def run(self, *command: str) -> str:
        """Run a module's command line; returns its standard output. Raises `TimeoutError` at the deadline."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), CACHE_VARIABLE: str(self.folder / "cache")}
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=self.folder,
            env=environment,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            output, errors = process.communicate(timeout=max(0.0, self.deadline - time.perf_counter()))
        except subprocess.TimeoutExpired:
            _end(process)
            raise TimeoutError from None
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{errors}")
        return output


def _end(process: subprocess.Popen[str]) -> None:
    """End a command and what it started: politely, then by force."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.communicate(timeout=GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def our_spec(study: Study) -> dict[str, Any]:
    """The shipped study's recipe and space over the images of `study`, up to the first trial at the target."""
    shipped = tomlkit.parse(STUDY.read_text(encoding="utf-8")).unwrap()
    recipe, space = shipped["recipe"], shipped["space"]
    for path in space:  # values that were found by searching before, from which the search would start
        part, _, option = path.partition(".")
        del (recipe[part] if option else recipe)[option or part]
    if study.dataset == "mnist":
        recipe["data"] = {"name": "mnist", "root": str(study.data)}
        del recipe["augment"]  # a flipped digit is another one, or none
        space |= MNIST_SPACE
    else:
        recipe["data"] = {"name": "image_folder", "root": str(study.data)}
    return {
        "study": {"name": NAME, "metric": "val_accuracy", "pruner": {"name": "none"}, "seed": study.seed},
        "budget": {"trials": MOST_TRIALS, "target": study.target},
        "recipe": recipe,
        "space": space,
    }


def ours(study: Study) -> Found:
    """The commands that a user types."""
    start = time.perf_counter()
    (study.folder / f"{NAME}.toml").write_text(tomlkit.dumps(our_spec(study)), encoding="utf-8")
    what, num_confirmations = f"{NAME}.toml", 0
    while True:
        confirm = ("--confirm", "1", "--seeds", str(SEEDS), "-n", str(WORKERS), "--json")
        trials = json.loads(study.run("tunefast", "study", "run", what, *confirm))["trials"]
        seconds = time.perf_counter() - start
        num_confirmations += 1
        latest = max(trials, key=lambda trial: trial["value"])
        if latest["mean"] >= study.target:
            break
        better = math.nextafter(latest["value"], math.inf)
        study.run("tunefast", "study", "extend", NAME, "--target", str(better))
        what = NAME
    shown = json.loads(study.run("tunefast", "study", "show", NAME, "--json"))
    confirming = json.loads(study.run("tunefast", "study", "show", f"{NAME}.confirm", "--json"))
    return Found(seconds, confirming["active_seconds"], len(shown["trials"]), num_confirmations, latest["mean"])


def by_hand(module: str) -> Callable[[Study], Found]:
    """A search with Optuna, one command."""

    def typed(study: Study) -> Found:
        start = time.perf_counter()
        options = {"dataset": study.dataset, "data": study.data, "target": study.target, "seed": study.seed}
        output = study.run(module, *(word for name, value in options.items() for word in (f"--{name}", str(value))))
        seconds = time.perf_counter() - start
        said = json.loads(output)
        return Found(seconds, said["confirming_seconds"], said["trials"], said["confirmations"], said["accuracy"])

    return typed


SIDES: dict[str, Callable[[Study], Found]] = {
    OURS: ours,
    "script": by_hand("benchmarks.optuna_script"),
    "tutorial": by_hand("benchmarks.optuna_tutorial"),
}
TITLES = {OURS: "tunefast", "script": "Optuna, good script", "tutorial": "Optuna, tutorials' loop"}


def search(side: str, dataset: str, data: Path, seed: int, limit: float) -> Found:
    """A study of a side, in an empty directory."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return SIDES[side](Study(dataset, data, seed, Path(folder), time.perf_counter() + limit))
        except TimeoutError:
            return Found(math.inf)


def unpacked(data: Path, dataset: str, scratch: Path) -> Path:
    """Where a data set lies as files that every side reads; unpacked into `scratch` where it is packed."""
    if dataset == "cifar10":
        if not (data / dataset).is_dir():
            with tarfile.open(data / "cifar10-imagefolder.tar.gz") as archive:
                archive.extractall(scratch, filter="data")
            data = scratch
        return (data / dataset).absolute()
    raw = scratch / dataset / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for path in (data / dataset / "MNIST" / "raw").iterdir():
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        (raw / path.name.removesuffix(".gz")).write_bytes(content)
    return scratch / dataset


def main() -> None:
    """Run the rounds and print a table for each data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--datasets", nargs="+", choices=tuple(TARGETS), default=tuple(TARGETS), metavar="NAME")
    parser.add_argument("--only", nargs="+", choices=tuple(SIDES), default=tuple(SIDES), metavar="SIDE")
    parser.add_argument("--limit", type=float, default=600.0, metavar="SECONDS")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    found: dict[str, dict[str, list[Found]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for dataset in arguments.datasets:
            data = unpacked(arguments.data, dataset, Path(scratch))
            found[dataset] = measure(dataset, data, arguments.only, arguments.rounds, arguments.limit)
    if arguments.json:
        print(json.dumps({"limit": arguments.limit, "studies": _plain(found)}))
        return
    print(f"seconds from the command to a confirmed target; {arguments.rounds} rounds; two workers;")
    print(f"load before {load:.1f}, after {os.getloadavg()[0]:.1f}")
    for dataset, sides in found.items():
        print_table(dataset, sides, arguments.limit)


def measure(dataset: str, data: Path, sides: Sequence[str], rounds: int, limit: float) -> dict[str, list[Found]]:
    """A study of each side a round, in turn."""
    found: dict[str, list[Found]] = {side: [] for side in sides}
    for seed in range(rounds):
        for side in sides:
            found[side].append(search(side, dataset, data, seed, limit))
            print(f"{dataset}, round {seed}, {side}: {found[side][-1]}", file=sys.stderr, flush=True)
    return found


def _plain(found: dict[str, dict[str, list[Found]]]) -> dict[str, Any]:
    """As JSON has it, which knows neither infinity nor NaN."""

    def study(each: Found) -> dict[str, Any]:
        return {name: value if math.isfinite(value) else None for name, value in each._asdict().items()}

    return {
        dataset: {side: [study(each) for each in of] for side, of in sides.items()} for dataset, sides in found.items()
    }


def print_table(dataset: str, sides: dict[str, list[Found]], limit: float) -> None:
    """A line a side: median seconds and spread, times tunefast's, and what the searches took."""
    print(f"\n{dataset}: {TARGETS[dataset]:.1%} of the validation images")
    base = statistics.median(each.seconds for each in sides[OURS]) if OURS in sides else math.nan
    for side, studies in sides.items():
        seconds = [each.seconds for each in studies]
        median = statistics.median(seconds)
        spread = f"({_in_words(min(seconds), limit)} to {_in_words(max(seconds), limit)})"
        there = [each for each in studies if math.isfinite(each.seconds)]
        print(
            f"{TITLES[side]:<24} {_in_words(median, limit):<18} {spread:<34} {_times(median, base, limit):<22}", end=""
        )
        if there:
            trials, confirmations, confirming = (
                statistics.median(values)
                for values in zip(
                    *((each.trials, each.confirmations, each.confirming_seconds) for each in there), strict=True
                )
            )
            print(f"  {trials:g} trials, {confirmations:g} confirmations of {confirming:.0f} s", end="")
            print(f", accuracy {min(each.accuracy for each in there):.4f}", end="")
        print(f"  [{len(there)}/{len(studies)}]")


def _in_words(seconds: float, limit: float) -> str:
    return f"{seconds:.1f} s" if math.isfinite(seconds) else f"not within {limit:g} s"


def _times(median: float, base: float, limit: float) -> str:
    """How many times tunefast's; of a side that never got there, more than the limit is."""
    if not math.isfinite(base):
        return "-"
    return f"{median / base:.1f} x tunefast" if math.isfinite(median) else f"> {limit / base:.1f} x tunefast"


if __name__ == "__main__":
    main()
