"""How long does optuna-dashboard take to open a study with many trials, on stock Optuna's storage and on ours?

`python -m benchmarks.dashboard [--trials N] [--rounds N] [--json]`. In one process, without a network: what its page
asks for when a study is opened (the list of studies, then the study), from a storage that nobody used before; then what
it asks for when it looks again (the trials it does not have), after another one was begun.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import optuna
import optuna_dashboard
from optuna.storages import BaseStorage, RDBStorage

from benchmarks.filled import fill
from tunefast.store.engine import file_url, read_only_url
from tunefast.store.reading import ReadingStorage

STUDY = "filled"


def asked(app: Any, path: str, query: str = "") -> bytes:
    """What a WSGI application answers to a GET."""
    environ: dict[str, Any] = {"PATH_INFO": path, "QUERY_STRING": query}
    setup_testing_defaults(environ)
    return b"".join(app(environ, lambda *_: None))


def opened(storage: BaseStorage, path: Path) -> dict[str, float]:
    """The seconds from the first request to the study's trials, and those of a later look."""
    app = optuna_dashboard.wsgi(storage)
    begun, processor = time.perf_counter(), time.process_time()
    studies = json.loads(asked(app, "/api/studies"))["study_summaries"]
    study = f"/api/studies/{studies[0]['study_id']}"
    num_bytes = len(asked(app, study))
    first, work = time.perf_counter() - begun, time.process_time() - processor
    num_trials = storage.get_n_trials(studies[0]["study_id"])
    optuna.load_study(study_name=STUDY, storage=file_url(path).render_as_string()).ask()
    app._inmemory_cache._trials_last_fetched_at.clear()  # noqa: SLF001  instead of waiting the ten seconds it keeps them
    begun = time.perf_counter()
    asked(app, study, f"after={num_trials}")
    later = time.perf_counter() - begun
    return {"open_seconds": first, "open_cpu_seconds": work, "reload_seconds": later, "num_bytes": num_bytes}


def main() -> None:
    """Print a line per storage, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    asked_for = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    found: dict[str, list[dict[str, float]]] = {"stock": [], "ours": []}
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "study.db"
        optuna.create_study(storage=file_url(path).render_as_string(), study_name=STUDY, direction="maximize")
        fill(path, STUDY, asked_for.trials)
        storages: dict[str, Callable[[], BaseStorage]] = {
            "stock": lambda: RDBStorage(read_only_url(path), skip_compatibility_check=True, skip_table_creation=True),
            "ours": lambda: ReadingStorage(path),
        }
        for _ in range(asked_for.rounds):
            for name, storage in storages.items():
                gc.collect()
                found[name].append(opened(storage(), path))
    medians = {
        name: {key: statistics.median(row[key] for row in rows) for key in rows[0]} for name, rows in found.items()
    }
    if asked_for.json:
        print(json.dumps({"trials": asked_for.trials, "medians": medians, "rounds": found}, indent=2))
        return
    for name, row in medians.items():
        opening = f"{row['open_seconds']:.2f} s ({row['open_cpu_seconds']:.2f} s of a processor)"
        print(f"{name}: opened in {opening}, looked again in {row['reload_seconds']:.2f} s")


if __name__ == "__main__":
    main()
