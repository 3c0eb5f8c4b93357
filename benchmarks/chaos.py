"""What is left of a study after its workers were killed and stopped: tunefast and stock Optuna, side by side.

Both are asked for the same number of trials of eight epochs of a tenth of a second, on four workers, with a checkpoint
after each epoch, while the same number of workers is killed (SIGKILL) or stopped for a while (SIGSTOP). Stock Optuna is
used as its documentation says: trials enqueued, ``optimize`` in each process, a heartbeat every second, a grace period
of two, `RetryHeartbeatStaleTrialCallback`; a supervisor starts a worker anew that has died.

``python -m benchmarks.chaos [--trials N] [--seed S] [--json]``
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from benchmarks.stock_worker import STUDY, storage_at, value_of
from tests.chaos.arena import EPOCHS, LEASE_SECONDS, Arena
from tests.chaos.checker import check
from tests.chaos.storm import PAUSE_SECONDS, storm

WORKERS = 4
STRIKES = {"kill": 40, "stop": 8}
"""For 200 trials."""
PATIENCE_SECONDS = 60.0
"""Without a trial that ends before a study is taken to be over."""


def stock(trials: int, strikes: dict[str, int], seed: int, directory: Path) -> dict[str, Any]:
    """Run a study with stock Optuna under the strikes; what is left of it."""
    path, rng = directory / "stock.db", random.Random(seed)  # noqa: S311 - no secret
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(study_name=STUDY, storage=storage_at(path))
    for index in range(trials):
        study.enqueue_trial({"x": rng.random()}, user_attrs={"index": index})
    pending = [kind for kind, count in strikes.items() for _ in range(count)]
    planned = len(pending)
    rng.shuffle(pending)
    workers = [_stock_started(path) for _ in range(WORKERS)]
    woken: list[tuple[float, int]] = []
    started = progressed = time.monotonic()
    done, most, deaths = 0, 0, 0
    while time.monotonic() - progressed < PATIENCE_SECONDS:
        with suppress(optuna.exceptions.StorageInternalError):  # locked by a worker that was stopped
            done = sum(trial.state == TrialState.COMPLETE for trial in study.get_trials(deepcopy=False))
        if done > most:
            most, progressed = done, time.monotonic()
        for number, worker in enumerate(workers):
            if worker.poll() is not None and done < trials:
                workers[number], deaths = _stock_started(path), deaths + 1
        if pending and done >= 0.9 * trials * (planned - len(pending)) / planned:
            _strike(pending.pop(), rng.choice(workers).pid, rng, woken)
        for due, pid in list(woken):
            if time.monotonic() > due:
                woken.remove((due, pid))
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        time.sleep(PAUSE_SECONDS)
    for worker in workers:
        worker.kill()
        worker.wait()
    return {**_left(study, trials), "seconds": progressed - started, "worker deaths": deaths}


def _strike(kind: str, pid: int, rng: random.Random, woken: list[tuple[float, int]]) -> None:
    with suppress(ProcessLookupError):
        if kind == "kill":
            os.kill(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGSTOP)
            woken.append((time.monotonic() + rng.uniform(0.3, 2 * LEASE_SECONDS), pid))


def _stock_started(path: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "benchmarks.stock_worker", str(path)]
    with (path.parent / "said.txt").open("ab") as said:
        return subprocess.Popen(command, stdout=said, stderr=said)


def _left(study: optuna.Study, trials: int) -> dict[str, Any]:
    """What came of the trials that were asked for."""
    found = study.get_trials(deepcopy=False)
    complete = Counter(trial.user_attrs["index"] for trial in found if trial.state == TrialState.COMPLETE)
    wrong = [
        trial for trial in found if trial.state == TrialState.COMPLETE and trial.value != value_of(trial.params["x"])
    ]
    states = Counter(trial.state.name for trial in found)
    return {
        "asked": trials,
        "results": len(complete),
        "lost": trials - len(complete),
        "done twice": sum(count - 1 for count in complete.values()),
        "wrong values": len(wrong),
        "failed rows": states["FAIL"],
        "running for ever": states["RUNNING"],
    }


def ours(trials: int, strikes: dict[str, int], seed: int, directory: Path) -> dict[str, Any]:
    """The same with tunefast."""
    arena = Arena(directory, trials, WORKERS)
    weather = storm(arena, strikes, seed, 600)
    found = check(arena)
    states = Counter(trial.state.name for trial in arena.study().trials)
    return {
        "asked": trials,
        "results": found.results,
        "lost": trials - found.results,
        "done twice": len(arena.study().trials) - trials,
        "wrong values": sum("instead of" in broken for broken in found.broken),
        "failed rows": states["FAIL"],
        "running for ever": states["RUNNING"],
        "seconds": weather.seconds,
        "broken promises": len(found.broken),
        "epochs redone": found.redone,
    }


def main() -> None:
    """Run both, and print them side by side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    strikes = {kind: max(1, round(count * options.trials / 200)) for kind, count in STRIKES.items()}
    results: dict[str, dict[str, Any]] = {}
    for name, side in (("tunefast", ours), ("stock Optuna", stock)):
        with tempfile.TemporaryDirectory(prefix="chaos") as place:
            results[name] = side(options.trials, strikes, options.seed, Path(place))
    if options.json:
        print(json.dumps({"strikes": strikes, **results}, indent=2))
        return
    print(f"{options.trials} trials of {EPOCHS} epochs, {WORKERS} workers, struck: {strikes}\n")
    for row in dict.fromkeys([*results["tunefast"], *results["stock Optuna"]]):
        cells = [f"{result[row]:>14.6g}" if row in result else f"{'-':>14}" for result in results.values()]
        print(f"{row:<18}{''.join(cells)}")


if __name__ == "__main__":
    main()
