"""How long does a worker wait for the verdict on a report?

``python -m benchmarks.report_latency [--trials N] [--stored N] [--workers N] [--rounds R] [--json]``: trials of 8
parameters and 20 reports that train nothing, with a checkpoint after every fifth epoch, so that verdicts are asked
for as fast as they are given while results and checkpoints are written. Each worker times what passes from a report
until it may go on: its own encoding, the socket twice, the coordinator. The first trial of a worker is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.filled import fill
from benchmarks.noop import NUM_PARAMS, NUM_REPORTS, curve
from tunefast.recipe.own_training import ObjectiveRecipe
from tunefast.run.commands import create_study
from tunefast.run.host import Host
from tunefast.spec.load import parse_spec
from tunefast.train.objective import Context

SAVES_EVERY = 5
PERCENTS = (50, 99)


def run(recipe: ObjectiveRecipe, context: Context) -> Iterator[dict[str, float]]:
    """Report `NUM_REPORTS` times, and leave how many milliseconds each verdict took in a file."""
    waits = []
    for epoch in range(1, NUM_REPORTS + 1):
        if epoch % SAVES_EVERY == 0:
            context.checkpoint.save({"epoch": epoch})
        asked = time.perf_counter()
        yield {"val_accuracy": curve(epoch)}
        waits.append((time.perf_counter() - asked) * 1000)
    folder = Path(str(recipe.params["folder"]))
    (folder / f"{context.trial}.json").write_text(json.dumps(waits))


def waits_ms(folder: Path, trials: int, stored: int, workers: int) -> list[float]:
    """All waits of a study, in milliseconds."""
    spec = {
        "study": {"name": "waits", "sampler": {"name": "random"}, "pruner": {"name": "median"}},
        "budget": {"trials": stored + trials},
        "recipe": {
            "objective": "benchmarks.report_latency:run",
            "epochs": NUM_REPORTS,
            "params": {"folder": str(folder)},
        },
        "space": {f"params.x{index}": {"low": 0.0, "high": 1.0} for index in range(NUM_PARAMS)},
    }
    path = folder / "waits.db"
    create_study(path, parse_spec(spec))
    fill(path, "waits", stored)
    asyncio.run(Host(path, "waits", ["cpu"] * workers, explicit=True).run())
    files = sorted(folder.glob("*.json"), key=lambda file: int(file.stem))[workers:]
    return [wait for file in files for wait in json.loads(file.read_text())]


def main() -> None:
    """Run the rounds and print the percentiles of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--stored", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rounds: list[dict[str, float]] = []
    for _ in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as folder:
            waits = waits_ms(Path(folder), arguments.trials, arguments.stored, arguments.workers)
        cuts = statistics.quantiles(waits, n=100)
        rounds.append({f"p{percent}": cuts[percent - 1] for percent in PERCENTS} | {"max": max(waits)})
    if arguments.json:
        print(json.dumps({"stored": arguments.stored, "workers": arguments.workers, "ms": rounds}))
        return
    print(f"ms from a report to its verdict; {arguments.trials} trials, {arguments.stored} stored before")
    for number, found in enumerate(rounds):
        print(f"round {number}: " + ", ".join(f"{name} {value:.2f}" for name, value in found.items()))


if __name__ == "__main__":
    main()
