"""A study as TensorBoard's event files: a run a trial, with its curves and its settings as hyperparameters."""

from __future__ import annotations

import importlib.util
import secrets
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tunefast.errors import UserError
from tunefast.export.tables import METRIC, PARAM, VALUE, Row, epoch_table, trial_table
from tunefast.store.snapshot import StudySnapshot


class Run(NamedTuple):
    """What there is of one trial."""

    name: str
    settings: dict[str, float | str]
    values: dict[str, float]
    """Of the objectives, by name."""
    curves: list[tuple[int, float, dict[str, float]]]
    """Of each epoch: its number, when it ended in seconds since 1970, and its metrics, the learning rate with them."""


def check_directory(path: Path) -> None:
    """Raise `UserError` where no new directory can be made at `path`, or TensorBoard is not installed."""
    if path.exists():
        raise UserError(message=f"-o {path}: exists already; name a new directory, since runs there would be mixed")
    if not path.parent.is_dir():
        raise UserError(message=f"-o {path}: there is no directory {path.parent}")
    if importlib.util.find_spec("tensorboard") is None:
        raise UserError(message="--format tensorboard needs tensorboard: pip install 'tunefast[tensorboard]'")


def write_runs(study: StudySnapshot, path: Path) -> int:
    """Write a directory a trial under `path`, all or none; how many. Raises `UserError`."""
    check_directory(path)
    part = path.with_name(f".tunefast-{secrets.token_hex(8)}.part")
    try:
        part.mkdir()
        found = runs(study)
        for run in found:
            _write(run, part / run.name)
        part.rename(path)
    except OSError as error:
        raise UserError(message=f"-o {path}: cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return len(found)


def runs(study: StudySnapshot) -> list[Run]:
    """A run a trial, in the order of their numbers."""
    by_trial: dict[int, list[Row]] = {}
    for row in epoch_table(study).rows:
        by_trial.setdefault(row["trial"], []).append(row)
    width = len(str(max(len(study.trials) - 1, 0)))
    return [
        Run(
            name=f"trial-{row['trial']:0{width}}",
            settings={name: _plain(value) for name, value in _chosen(PARAM, row).items()},
            values=_chosen(VALUE, row),
            curves=list(_curves(row, by_trial.get(row["trial"], []))),
        )
        for row in trial_table(study).rows
    ]


def _chosen(prefix: str, row: Row) -> dict[str, Any]:
    """What a row has under a prefix, without it."""
    return {
        name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix) and value is not None
    }


def _plain(value: Any) -> float | str:
    return value if isinstance(value, bool | int | float) else str(value)


def _curves(trial: Row, epochs: Sequence[Row]) -> Iterator[tuple[int, float, dict[str, float]]]:
    """Epochs are dated from the trial's start on, by the seconds that it spent."""
    moment = trial["started"].timestamp() if trial["started"] is not None else 0.0
    for row in epochs:
        moment += row["train_seconds"] + row["eval_seconds"]
        rate = {} if row["learning_rate"] is None else {"learning_rate": row["learning_rate"]}
        yield row["epoch"], moment, {**_chosen(METRIC, row), **rate}


def _write(run: Run, directory: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(directory)) as writer:
        for epoch, moment, metrics in run.curves:
            for name, value in metrics.items():
                writer.add_scalar(name, value, epoch, walltime=moment)
        objectives = {f"objective/{name}": value for name, value in run.values.items()}
        writer.add_hparams(run.settings, objectives, run_name=".")
