"""A worker of stock Optuna, as its documentation has it for workers that may die; for `benchmarks.chaos`."""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import Trial, TrialState

from tests.chaos.arena import EPOCHS, PACE_SECONDS

STUDY = "stock"


def step(value: float, x: float) -> float:
    """An epoch of a training whose every bit depends on all epochs before."""
    return (3.7 * value * (1 - value) + x) % 1.0


def value_of(x: float) -> float:
    """What a trial comes to when nothing happens to it."""
    value = 0.5
    for _ in range(EPOCHS):
        value = step(value, x)
    return value


def storage_at(path: Path) -> RDBStorage:
    """The storage as Optuna's documentation has it for workers that may die."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return RDBStorage(
            f"sqlite:///{path}",
            heartbeat_interval=1,
            grace_period=2,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(),
        )


def stock_worker(path: Path) -> None:
    """Train trials that wait until none does."""
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial: Trial) -> float:
        if "index" not in trial.user_attrs:  # one more than was asked for, since others still run
            trial.study.stop()
            raise optuna.TrialPruned
        x = trial.suggest_float("x", 0.0, 1.0)
        kept = path.parent / f"{trial.user_attrs['index']}.json"
        epoch, value = json.loads(kept.read_text()) if kept.exists() else (0, 0.5)
        while epoch < EPOCHS:
            time.sleep(PACE_SECONDS)
            epoch, value = epoch + 1, step(value, x)
            scratch = kept.with_suffix(f".{os.getpid()}")
            scratch.write_text(json.dumps([epoch, value]))
            scratch.replace(kept)
            trial.report(value, epoch)
        return float(value)

    study = optuna.load_study(study_name=STUDY, storage=storage_at(path))
    study.optimize(objective, callbacks=[_stop_when_empty])


def _stop_when_empty(study: optuna.Study, _trial: Any) -> None:
    unfinished = study.get_trials(deepcopy=False, states=(TrialState.WAITING, TrialState.RUNNING))
    if not unfinished:
        study.stop()


if __name__ == "__main__":
    stock_worker(Path(sys.argv[1]))
