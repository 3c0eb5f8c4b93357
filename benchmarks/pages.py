"""How long do tunefast's own pages take of a study with many trials?

`python -m benchmarks.pages [--trials N] [--json]`. A study of the shipped space, with curves of up to 30 epochs, is
written into a new database. For the list of studies and each page of the study a `tunefast dashboard` is started, in
a process of its own, and asked for it seconds later, and then once more; beside the seconds stand those of a processor
that it took, since machines are busy. Bytes are those sent, compressed as for a browser. The pages' scripts, which a
browser keeps, are not among them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from optuna.distributions import distribution_to_json
from optuna.trial import TrialState

from tunefast.run.commands import create_study
from tunefast.run.specs import shipped
from tunefast.search.samplers import distribution
from tunefast.spec.load import load_spec
from tunefast.spec.sections import Budget
from tunefast.spec.study import StudySpec
from tunefast.store import tables
from tunefast.store.engine import file_url
from tunefast.store.ownership import StateDirectory
from tunefast.store.rows import ATTRS, PARAMS, REPORTS, STUDIES, TRIALS, VALUES
from tunefast.store.snapshot import snapshot

STUDY, METRIC, EPOCHS, PRUNED_AT = "filled", "val_accuracy", 30, 5
WORKERS = ("w1", "w2")
AFTER_SECONDS = 5.0
"""People who start a dashboard have a link to open and a study to choose."""
PAGES = ("overview", "speed", "pruning")


class Dashboard(NamedTuple):
    """One that runs."""

    url: str
    visitor: urllib.request.OpenerDirector
    """That may ask it."""
    pid: int

    @property
    def processor_seconds(self) -> float:
        """That it took so far, as Linux counts them."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class View(NamedTuple):
    """A page that was asked for."""

    seconds: float
    processor_seconds: float
    num_bytes: int


def fill(path: Path, trials: int) -> None:
    """Make a study of the shipped space at `path`, with so many trials; half of them were pruned after a few epochs."""
    spec = load_spec(shipped("studies")["digits"])
    section = spec.study.model_copy(update={"name": STUDY})
    spec = spec.model_copy(update={"study": section, "budget": Budget(trials=trials)})
    create_study(path, spec)
    uuid, start = snapshot(path, STUDY).uuid, datetime(2026, 1, 1)  # noqa: DTZ001  as the database has it
    engine = sa.create_engine(file_url(path))
    with engine.begin() as connection:
        study_id = connection.execute(sa.select(STUDIES.c.study_id).where(STUDIES.c.study_name == STUDY)).scalar_one()
        rows: dict[sa.Table, list[dict[str, Any]]] = {}
        for number in range(trials):
            for table, row in _rows(spec, uuid, study_id, number, start + timedelta(seconds=number)):
                rows.setdefault(table, []).append(row)
        for table, of_table in rows.items():
            connection.execute(sa.insert(table), of_table)
        spent = {"active_seconds": float(trials), "slot_seconds": 2.0 * trials}
        connection.execute(sa.update(tables.studies).where(tables.studies.c.uuid == uuid).values(spent))
    engine.dispose()


def _rows(
    spec: StudySpec, uuid: str, study_id: int, number: int, begun: datetime
) -> Iterator[tuple[sa.Table, dict[str, Any]]]:
    """What a trial leaves in the database."""
    rng = random.Random(number)  # noqa: S311  no secret
    trial, pruned = number + 1, number % 2 == 1
    last, ended = PRUNED_AT if pruned else EPOCHS, begun + timedelta(seconds=1.8)
    state = TrialState.PRUNED if pruned else TrialState.COMPLETE
    moments = {"datetime_start": begun, "datetime_complete": ended}
    yield TRIALS, {"trial_id": trial, "number": number, "study_id": study_id, "state": state, **moments}
    for name, domain in spec.space.items():
        kind, value = distribution(domain), domain.draw(rng)
        text, internal = distribution_to_json(kind), kind.to_internal_repr(value)
        yield PARAMS, {"trial_id": trial, "param_name": name, "param_value": internal, "distribution_json": text}
    best, threshold = rng.uniform(0.5, 0.99), {"pruner_threshold": 0.4} if number % 3 == 0 else {}
    curve = [best * (1 - 0.7**epoch) for epoch in range(1, last + 1)]
    yield VALUES, {"trial_id": trial, "objective": 0, "value": curve[-1], "value_type": "FINITE"}
    attributes = {"reason": "pruner" if pruned else "early_stopping", "kept_epoch": last, "epochs": last}
    for key, attribute in attributes.items():
        yield ATTRS, {"trial_id": trial, "key": key, "value_json": json.dumps(attribute)}
    of = {"study_uuid": uuid, "trial": number, "attempt": 1}
    where = {"worker": WORKERS[number % 2], "device": "cpu", "threads": 1, "seed": number, "provenance": {}}
    ending = {"started_at": begun, "ended_at": ended, "ending": "pruned" if pruned else "complete"}
    yield tables.attempts, {**of, **where, **ending, "reason": attributes["reason"]}
    spent = {"train_seconds": rng.uniform(0.01, 0.05), "eval_seconds": 0.002, "steps": 40, "samples": 1280}
    for epoch, value in enumerate(curve, 1):
        report = {"intermediate_value": value, "intermediate_value_type": "FINITE"}
        yield REPORTS, {"trial_id": trial, "step": epoch, **report}
        metrics = {METRIC: value, "val_loss": 1 - value, "train_loss": 1 - value}
        details = {"setup_seconds": 0.1, **threshold} if epoch == 1 else threshold
        yield tables.epochs, {**of, "epoch": epoch, "metrics": metrics, "details": details, **spent}


@contextlib.contextmanager
def served(path: Path) -> Iterator[Dashboard]:
    """A dashboard of the database, some seconds after it was started."""
    command = [sys.executable, "-m", "tunefast", "dashboard", "--port", "0", "--storage", f"sqlite:///{path}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            lines = iter(server.stdout or ())
            link = next(found[0] for line in lines if (found := re.search(r"http://\S+/login\S+", line)))
            url = link.partition("/login")[0]
            token = StateDirectory(path).path / f"dashboard-{url.rpartition(':')[2]}.token"
            visitor = urllib.request.build_opener()
            visitor.addheaders = [("Accept-Encoding", "gzip"), ("Authorization", f"Bearer {token.read_text()}")]
            time.sleep(AFTER_SECONDS)
            yield Dashboard(url, visitor, server.pid)
        finally:
            server.terminate()


def viewed(dashboard: Dashboard, address: str) -> View:
    """The page at an address."""
    begun, processor = time.perf_counter(), dashboard.processor_seconds
    with dashboard.visitor.open(dashboard.url + address) as answer:
        num_bytes = len(answer.read())
    return View(time.perf_counter() - begun, dashboard.processor_seconds - processor, num_bytes)


def main() -> None:
    """Print a line per page, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    addresses = {"list": "/tunefast/", **{name: f"/tunefast/studies/{STUDY}/{name}" for name in PAGES}}
    found: dict[str, list[View]] = {}
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "study.db"
        fill(path, asked.trials)
        for name, address in addresses.items():  # each one from a dashboard that nobody asked for anything else
            with served(path) as dashboard:
                found[name] = [viewed(dashboard, address) for _ in range(2)]
    if asked.json:
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        views = {name: [view._asdict() for view in views] for name, views in found.items()}
        print(json.dumps({"at": moment, "trials": asked.trials, "pages": views}, indent=2))
        return
    for name, (first, second) in found.items():
        took = f"{first.seconds:5.2f} s ({first.processor_seconds:.2f} s of a processor)"
        print(f"{name:8}  first {took}  again {second.seconds:5.3f} s  {first.num_bytes:7,} bytes")


if __name__ == "__main__":
    main()
