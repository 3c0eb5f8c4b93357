"""How much of a slot's time goes into training? tunefast's own loop, one trial after the other, with checkpoints.

``python -m benchmarks.slots [--epochs N] [--trials N] [--workers N] [--width N] [--json]``: a perceptron on the
digits, trials of one shape; the width of its layers makes epochs last. A slot is busy for the seconds of training and
evaluation that its trials reported; the rest of the time between the first trial's end and the last one's is the gap:
everything between the last step of a trial and the first of the next, and what its reports and checkpoints take.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

from tunefast.run.commands import create_study
from tunefast.run.host import Host
from tunefast.spec.load import parse_spec
from tunefast.store.snapshot import StudySnapshot, snapshot


def trained(path: Path, trials: int, epochs: int, workers: int, width: int) -> StudySnapshot:
    """A study of trials that all train for as many epochs."""
    spec = {
        "study": {"name": "slots", "metric": "val_accuracy", "sampler": {"name": "tpe"}, "pruner": {"name": "none"}},
        "budget": {"trials": trials},
        "recipe": {"epochs": epochs, "data": {"name": "digits"}, "model": {"name": "mlp", "width": width, "depth": 2}},
        "space": {"optimizer.lr": {"low": 1e-4, "high": 1e-2, "log": True}},
    }
    create_study(path, parse_spec(spec))
    asyncio.run(Host(path, "slots", ["cpu"] * workers, explicit=True).run())
    return snapshot(path, "slots")


def figures(study: StudySnapshot) -> dict[str, float]:
    """Of the time after each worker's first trial: the gap a trial (median), the seconds it trains, the share busy."""
    busy: dict[int, float] = {}
    for row in study.epochs:
        busy[row["trial"]] = busy.get(row["trial"], 0.0) + row["train_seconds"] + row["eval_seconds"]
    gaps: list[float] = []
    trained_seconds: list[float] = []
    by_worker: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(study.attempts, key=lambda row: str(row["ended_at"])):
        by_worker.setdefault(row["worker"], []).append(row)
    for rows in by_worker.values():
        for before, row in itertools.pairwise(rows):
            seconds = (row["ended_at"] - before["ended_at"]).total_seconds()
            gaps.append(seconds - busy[row["trial"]])
            trained_seconds.append(busy[row["trial"]])
    share = sum(trained_seconds) / (sum(trained_seconds) + sum(gaps))
    return {"gap_ms": statistics.median(gaps) * 1000, "trial_s": statistics.median(trained_seconds), "busy": share}


def main() -> None:
    """Train the study and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        study = trained(
            Path(folder) / "slots.db", arguments.trials, arguments.epochs, arguments.workers, arguments.width
        )
    found = figures(study)
    if arguments.json:
        print(json.dumps(found))
        return
    print(f"{arguments.trials} trials of {arguments.epochs} epochs on {arguments.workers} workers")
    print(
        f"a trial trains for {found['trial_s']:.2f} s, {found['gap_ms']:.1f} ms are left over; busy {found['busy']:.1%}"
    )


if __name__ == "__main__":
    main()
