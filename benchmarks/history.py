"""Does TPE search worse where it looks at a part of a study's trials? The same studies with more and fewer seen.

``python -m benchmarks.history [--trials N] [--seeds S] [--seen N ...] [--json]``: a bowl with ripples over 8 settings,
whose middle differs by seed; a live study as a coordinator has it, of which no trial is pruned. Printed is the regret
(how far the best value so far is from the best there is, which is 0), as the geometric mean over the seeds, and in how
many seeds it was better or worse than with all trials seen.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import optuna
from scipy.stats import wilcoxon

from benchmarks.noop import NUM_PARAMS
from tunefast.run.commands import create_study
from tunefast.search.live import LiveStudy
from tunefast.spec.load import parse_spec
from tunefast.spec.progress import Ending, EpochReport, Outcome
from tunefast.store.database import Database

RIPPLES, HEIGHT = 4, 0.02
EVERY = 10**9
"""More trials than there are: all are seen."""


class Run(NamedTuple):
    """A study."""

    regrets: list[float]
    """After a quarter, half, three quarters and all of its trials."""
    draw_ms: float
    """Median milliseconds of the last hundred trials, with what the study costs beside the draw."""


def regret(x: np.ndarray, middle: np.ndarray) -> float:
    """How far a value is from the best there is."""
    away = x - middle
    return float(np.sum(away**2) + HEIGHT * np.sum(1 - np.cos(2 * np.pi * RIPPLES * away)))


def search(seed: int, seen: int, num_trials: int) -> Run:
    """A study of which TPE sees so many trials."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    middle = np.random.default_rng(seed).uniform(0.1, 0.9, NUM_PARAMS)
    paths = [f"params.x{index}" for index in range(NUM_PARAMS)]
    spec = {
        "study": {"name": "history", "sampler": {"name": "tpe"}, "pruner": {"name": "none"}, "seed": seed},
        "budget": {"trials": num_trials},
        "recipe": {"objective": "benchmarks.noop:run", "epochs": 1},
        "space": {path: {"low": 0.0, "high": 1.0} for path in paths},
    }
    best, found, times = np.inf, [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.db"
        create_study(path, parse_spec(spec))
        database = Database(path)
        live = LiveStudy(database, "history")
        live.storage.view.most_seen = seen
        for number in range(1, num_trials + 1):
            begun = time.perf_counter()
            running = live.claim()
            if running is None:
                raise RuntimeError("the budget is used up")
            params = live.storage.get_trial(running.trial_id).params
            value = regret(np.array([params[path] for path in paths]), middle)
            live.report(running.number, EpochReport(epoch=1, metrics={"val_accuracy": -value}))
            live.finish(running.number, Outcome(ending=Ending.COMPLETE))
            times.append((time.perf_counter() - begun) * 1000)
            best = min(best, value)
            if number * 4 % num_trials == 0:
                found.append(best)
        live.asker.close()
        database.close()
    return Run(found, statistics.median(times[-100:]))


def main() -> None:
    """Run the studies on all cores and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1600, help="a multiple of 4")
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--seen", type=int, nargs="+", default=[EVERY, 1000, 500])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    jobs = [(seed, seen) for seed in range(arguments.seeds) for seen in arguments.seen]
    with ProcessPoolExecutor() as pool:
        ended = pool.map(partial(search, num_trials=arguments.trials), *zip(*jobs, strict=True))
        by_seen: dict[int, list[Run]] = {seen: [] for seen in arguments.seen}
        for (_, seen), run in zip(jobs, ended, strict=True):
            by_seen[seen].append(run)
    if arguments.json:
        print(json.dumps({seen: [run._asdict() for run in runs] for seen, runs in by_seen.items()}))
        return
    print(f"regret after quarters of {arguments.trials} trials, {arguments.seeds} seeds; compared with the first row")
    first = by_seen[arguments.seen[0]]
    for seen, runs in by_seen.items():
        means = [statistics.geometric_mean(values) for values in zip(*(run.regrets for run in runs), strict=True)]
        gains = [math.log(base.regrets[-1] / run.regrets[-1]) for base, run in zip(first, runs, strict=True)]
        better, worse = sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains)
        p = f", p = {wilcoxon(gains).pvalue:.2f}" if better + worse else ""
        cost = statistics.median(run.draw_ms for run in runs)
        name = "all" if seen == EVERY else str(seen)
        quarters = "  ".join(f"{mean:.4f}" for mean in means)
        print(f"{name:>6}  {quarters}  {better} better, {worse} worse{p}  {cost:.1f} ms a trial")


if __name__ == "__main__":
    main()
