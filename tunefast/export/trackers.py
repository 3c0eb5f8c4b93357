"""Directories of trackers of experiments, written through their own libraries."""

from __future__ import annotations

import importlib.util
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, get_args

from tunefast.errors import UserError
from tunefast.export.runs import Run, runs
from tunefast.store.snapshot import StudySnapshot

Tracker = Literal["tensorboard", "mlflow"]
TRACKERS: tuple[Tracker, ...] = get_args(Tracker)
MLFLOW_FILE = "mlflow.db"
_BATCH = 100
"""Metrics that MLflow takes in one call; its limit is 1,000, and 100 for parameters."""
_STATUS = {"failed": "FAILED", "retried": "FAILED", "running": "RUNNING", "waiting": "SCHEDULED"}
"""MLflow's, of trials that are not done."""


def check_directory(path: Path, tracker: Tracker) -> None:
    """Raise `UserError` where no new directory can be made at `path`, or the tracker's library is not installed."""
    if path.exists():
        raise UserError(message=f"-o {path}: exists already; name a new directory, since runs there would be mixed")
    if not path.parent.is_dir():
        raise UserError(message=f"-o {path}: there is no directory {path.parent}")
    if importlib.util.find_spec(tracker) is None:
        raise UserError(message=f"--format {tracker} needs {tracker}: pip install 'tunefast[{tracker}]'")


def write_directory(study: StudySnapshot, path: Path, tracker: Tracker) -> int:
    """Write a study's trials as runs into a new directory, all or none; how many. Raises `UserError`."""
    check_directory(path, tracker)
    part = path.with_name(f".tunefast-{secrets.token_hex(8)}.part")
    found = runs(study)
    try:
        part.mkdir()
        _WRITERS[tracker](study.name, found, part)
        part.rename(path)
    except OSError as error:
        raise UserError(message=f"-o {path}: cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return len(found)


def _write_tensorboard(_study: str, found: Sequence[Run], directory: Path) -> None:
    """A directory of event files a run; settings and objectives as hyperparameters."""
    from torch.utils.tensorboard import SummaryWriter

    for run in found:
        with SummaryWriter(str(directory / run.name)) as writer:
            for epoch, moment, metrics in run.curves:
                for name, value in metrics.items():
                    writer.add_scalar(name, value, epoch, walltime=moment)
            objectives = {f"objective/{name}": value for name, value in run.values.items()}
            writer.add_hparams(run.settings, objectives, run_name=".")


def _write_mlflow(study: str, found: Sequence[Run], directory: Path) -> None:
    """A database of MLflow's with one experiment. Tells nobody: MLflow would report its use to its makers."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    client = MlflowClient(tracking_uri=f"sqlite:///{(directory / MLFLOW_FILE).resolve()}")
    experiment = client.create_experiment(study)
    for run in found:
        tags = [RunTag("state", run.state), RunTag("reason", run.reason)]
        params = [Param(name, str(value)) for name, value in run.settings.items()]
        started = None if run.started is None else round(run.started.timestamp() * 1000)
        made = client.create_run(experiment, start_time=started, run_name=run.name).info.run_id
        client.log_batch(made, tags=tags, params=params)
        rows = [(epoch, moment, item) for epoch, moment, metrics in run.curves for item in metrics.items()]
        last = run.curves[-1][:2] if run.curves else (0, 0.0)
        rows += [(*last, (f"objective/{name}", value)) for name, value in run.values.items()]
        curves = [Metric(name, value, round(moment * 1000), epoch) for epoch, moment, (name, value) in rows]
        for start in range(0, len(curves), _BATCH):
            client.log_batch(made, curves[start : start + _BATCH])
        status = _STATUS.get(run.state, "FINISHED")
        if run.ended is None:
            client.update_run(made, status)
        else:
            client.set_terminated(made, status, round(run.ended.timestamp() * 1000))


_WRITERS: dict[Tracker, Callable[[str, Sequence[Run], Path], None]] = {
    "tensorboard": _write_tensorboard,
    "mlflow": _write_mlflow,
}
