"""What does a trial cost beside its training? tunefast against stock Optuna, on a no-op objective.

``python -m benchmarks.orchestration [--trials N] [--stored N] [--sampler random|tpe] [--workers N] [--rounds R]
[--ray PYTHON] [--only NAME ...] [--json]``: 8 parameters, 20 reports a trial, median pruner; `--stored` trials are
there before. Rounds alternate. `--ray` names a Python that has Ray Tune, which then draws at random on as many slots.

Each side's figure is the time from the first trial's end to the last one's, over the trials between: process start-up
is left out on both sides, everything a trial needs is in. More than one worker only tunefast has here; the others train
in one process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import optuna
from optuna.storages.journal import JournalFileBackend
from sqlalchemy import event

from benchmarks.filled import earlier_trials, fill
from benchmarks.noop import NUM_PARAMS, NUM_REPORTS, curve
from tunefast.run.commands import create_study
from tunefast.run.host import Host
from tunefast.spec.load import parse_spec
from tunefast.store.snapshot import snapshot


class Load(NamedTuple):
    """What is measured."""

    trials: int
    stored: int
    sampler: str
    workers: int


Side = Callable[[Path, Load], float]


def tunefast_ms(path: Path, load: Load) -> float:
    """Milliseconds a trial through tunefast's coordinator and its workers."""
    spec = {
        "study": {"name": "noop", "sampler": {"name": load.sampler}, "pruner": {"name": "median"}},
        "budget": {"trials": load.stored + load.trials},
        "recipe": {"objective": "benchmarks.noop:run", "epochs": NUM_REPORTS},
        "space": {f"params.x{index}": {"low": 0.0, "high": 1.0} for index in range(NUM_PARAMS)},
    }
    create_study(path, parse_spec(spec))
    fill(path, "noop", load.stored)
    asyncio.run(Host(path, "noop", ["cpu"] * load.workers, explicit=True).run())
    ends = sorted(row["ended_at"] for row in snapshot(path, "noop").attempts)
    seconds: float = (ends[-1] - ends[0]).total_seconds()
    return seconds / (len(ends) - 1) * 1000


def optuna_default_ms(path: Path, load: Load) -> float:
    """Milliseconds a trial through stock Optuna on SQLite, as its documentation shows it."""
    return _optuna_ms(optuna.storages.RDBStorage(f"sqlite:///{path}"), load, path)


def optuna_wal_ms(path: Path, load: Load) -> float:
    """The same with a write-ahead log, as experienced users set it."""
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")

    @event.listens_for(storage.engine, "connect")
    def _wal(connection: object, _record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")  # type: ignore[attr-defined]

    storage.engine.dispose()
    return _optuna_ms(storage, load, path)


def optuna_journal_ms(path: Path, load: Load) -> float:
    """The same with a journal file, Optuna's fastest storage that survives."""
    return _optuna_ms(optuna.storages.JournalStorage(JournalFileBackend(str(path.with_suffix(".log")))), load)


def optuna_memory_ms(_path: Path, load: Load) -> float:
    """The same without any storage: what nothing that writes can beat."""
    return _optuna_ms(optuna.storages.InMemoryStorage(), load)


def _optuna_ms(storage: optuna.storages.BaseStorage, load: Load, file: Path | None = None) -> float:
    sampler = optuna.samplers.TPESampler(seed=0) if load.sampler == "tpe" else optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(
        study_name="noop",
        storage=storage,
        direction="maximize",
        sampler=sampler,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=4),
    )
    if file is not None:
        fill(file, "noop", load.stored)
    else:
        study.add_trials(earlier_trials(load.stored))
    ends: list[float] = []

    def objective(trial: optuna.Trial) -> float:
        for index in range(NUM_PARAMS):
            trial.suggest_float(f"params.x{index}", 0.0, 1.0)
        for epoch in range(1, NUM_REPORTS + 1):
            trial.report(curve(epoch), epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return curve(NUM_REPORTS)

    study.optimize(objective, load.trials, callbacks=[lambda _study, _trial: ends.append(time.perf_counter())])
    return (ends[-1] - ends[0]) / (len(ends) - 1) * 1000


def ray_ms(python: str, reuse: str) -> Side:
    """Milliseconds a trial through Ray Tune, by another interpreter."""

    def side(_path: Path, load: Load) -> float:
        peer = Path(__file__).with_name("ray_peer.py")
        arguments = [python, str(peer), str(load.trials), str(load.workers), reuse]
        told = subprocess.run(arguments, check=True, capture_output=True, text=True)
        return float(told.stdout.split()[-1])

    return side


SIDES: dict[str, Side] = {
    "tunefast": tunefast_ms,
    "Optuna, default SQLite": optuna_default_ms,
    "Optuna, SQLite with WAL": optuna_wal_ms,
    "Optuna, journal": optuna_journal_ms,
    "Optuna, in memory": optuna_memory_ms,
}


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--stored", type=int, default=0)
    parser.add_argument("--sampler", choices=("random", "tpe"), default="random")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ray", metavar="PYTHON")
    parser.add_argument("--only", nargs="+", metavar="NAME")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    load = Load(arguments.trials, arguments.stored, arguments.sampler, arguments.workers)
    ray = {"Ray Tune": "new", "Ray Tune, reused actors": "reuse"} if arguments.ray else {}
    sides = SIDES | {name: ray_ms(arguments.ray, reuse) for name, reuse in ray.items()}
    sides = {name: side for name, side in sides.items() if arguments.only is None or name in arguments.only}
    figures: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(arguments.rounds):
        for name, side in sides.items():
            with tempfile.TemporaryDirectory() as folder:
                figures[name].append(side(Path(folder) / "bench.db", load))
    if arguments.json:
        print(json.dumps({"load": load._asdict(), "ms": figures}))
        return
    first = next(iter(figures))
    base = statistics.median(figures[first])
    print(f"ms a trial of {NUM_PARAMS} parameters and {NUM_REPORTS} reports; {arguments.rounds} rounds of {load}")
    for name, values in figures.items():
        median = statistics.median(values)
        print(f"{name:<26} {median:8.2f}  ({min(values):.2f} to {max(values):.2f})  {median / base:6.1f} x {first}")


if __name__ == "__main__":
    main()
