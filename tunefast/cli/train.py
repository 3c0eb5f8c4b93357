"""`tunefast train`: train one recipe, measure it on the test set, keep the model."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from types import FrameType, TracebackType
from typing import Annotated, Any, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tunefast.cli.options import Device, Json, Storage, Verbose
from tunefast.cli.output import console, number, plain_table, print_json
from tunefast.errors import UserError
from tunefast.run.jobs import Job, job_of_spec, job_of_trial
from tunefast.run.model_files import METRICS_FILE, Export, Trained
from tunefast.run.slots import devices_for
from tunefast.run.specs import find_spec
from tunefast.run.training import train_job
from tunefast.search.confirmed import best_trial, confirmation_of
from tunefast.shell import DEFAULT_STORAGE
from tunefast.spec.progress import EpochReport
from tunefast.store.engine import database_path
from tunefast.store.snapshot import snapshot
from tunefast.train import MODEL_FILE
from tunefast.train.process import prepare_process

INTERRUPTED = 128
"""A command ended by signal N leaves with this plus N."""
SHOWN_METRICS = 2


def train(
    file: Annotated[
        str | None, typer.Argument(help="A spec without a space, or the name of one that ships.", metavar="[FILE]")
    ] = None,
    study: Annotated[
        str | None, typer.Option("--study", help="Train a trial of this study instead.", metavar="NAME")
    ] = None,
    trial: Annotated[
        str,
        typer.Option(
            "--trial",
            help="With --study: the trial's number, or best: the confirmed one, else the search's.",
            metavar="N",
        ),
    ] = "best",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Directory for the model; default: named after the recipe.", metavar="DIR"),
    ] = None,
    export: Annotated[
        Export | None, typer.Option("--export", help="Also write model.onnx, or model.pt2 for torch.export.load.")
    ] = None,
    device: Device = "auto",
    storage: Storage = DEFAULT_STORAGE,
    to_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Train one recipe, measure it on the test set, and keep the model."""
    prepare_process()
    (place,) = devices_for(device, 1)
    job = _job(file, study, trial, storage)
    directory = output if output is not None else Path(job.title.replace(", ", "-").replace(" ", "-"))
    if (directory / MODEL_FILE).exists():
        raise UserError(message=f"{directory} holds a model already; name another directory with -o")
    out = console(to_json=to_json)
    if job.note:
        out.print(job.note, soft_wrap=True)
    with ProgressView(out, job) as view:
        trained = train_job(job, place, directory, view, export)
    if trained is None:
        out.print(f"Stopped after epoch {view.epoch}; the same command goes on from there.", soft_wrap=True)
        raise typer.Exit(INTERRUPTED + view.signal)
    if to_json:
        measured = json.loads((directory / METRICS_FILE).read_text(encoding="utf-8"))
        print_json({"directory": str(directory), "files": trained.files, **measured})
        return
    _show(out, job, trained, directory)


def _job(file: str | None, study: str | None, trial: str, storage: str) -> Job:
    if (file is None) == (study is None):
        raise UserError(message="say what to train: a spec FILE, or --study NAME with --trial N or best")
    if file is not None:
        return job_of_spec(find_spec(file, single=True), storage)
    if trial != "best" and not trial.isdecimal():
        raise UserError(message=f"--trial {trial}: give a trial's number, or best")
    read = snapshot(database_path(storage), str(study))
    if trial != "best":
        return job_of_trial(read, int(trial))
    confirmation = confirmation_of(database_path(storage), read)
    return job_of_trial(read, best_trial(read, confirmation, storage).number)


def _show(out: Console, job: Job, trained: Trained, directory: Path) -> None:
    kept = "" if trained.kept_epoch == trained.epochs else f", of which epoch {trained.kept_epoch} was the best"
    out.print(f"Trained {job.title}: {trained.epochs} epochs{kept}, {trained.train_seconds:.1f} s of training.\n")
    table = plain_table("", "validation", "test", right=("validation", "test"))
    for name, value in trained.metrics.items():
        metric = name.removeprefix("test_")
        if metric != name:
            table.add_row(metric, number(trained.metrics[f"val_{metric}"]), number(value))
    out.print(table)
    if job.standardized:
        out.print("\nTargets are standardised in training: loss and errors are in deviations of the target.")
    if job.value is not None and job.metric in trained.metrics:
        value = trained.metrics[job.metric]
        same = "the same to the last bit" if value == job.value else f"not the same: it is {value!r} now"
        out.print(f"\nThe trial's {job.metric} was {job.value!r}: {same}.", soft_wrap=True)
    out.print(f"\nIn {directory}: {', '.join(trained.files)}", soft_wrap=True)


class ProgressView:
    """A bar over the epochs with the last metrics, or a line an epoch where no terminal is; and the user's Ctrl-C.

    The first one ends the training after the epoch that runs, a second one at once.
    """

    def __init__(self, out: Console, job: Job) -> None:
        self.epoch = 0
        self.signal = 0
        self._out = out
        self._epochs = job.stop_after or job.recipe.epochs
        self._metrics = tuple(dict.fromkeys((job.metric, "val_loss", *job.recipe.reported_metrics)))[:SHOWN_METRICS]
        columns = (BarColumn(bar_width=20), TextColumn("{task.description}"), TimeRemainingColumn())
        self._bar = Progress(*columns, console=out, transient=True) if out.is_terminal else None
        self._task = self._bar.add_task("reading the data", total=self._epochs) if self._bar is not None else None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {signum: signal.signal(signum, self._stop) for signum in (signal.SIGINT, signal.SIGTERM)}
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def _stop(self, signum: int, _frame: FrameType | None) -> None:
        if self.signal:
            raise typer.Exit(INTERRUPTED + signum)
        self.signal = signum
        self._out.print("Stopping after this epoch; once more to stop at once.", soft_wrap=True)

    def stopping(self) -> bool:
        """Whether the user wants to stop."""
        return self.signal != 0

    def resumed(self, epoch: int) -> None:
        """Say from where the training goes on."""
        self.epoch = epoch
        self._out.print(f"Going on after epoch {epoch} of {self._epochs}.", soft_wrap=True)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=epoch, description=f"epoch {epoch}/{self._epochs}")

    def report(self, report: EpochReport) -> None:
        """Show an epoch that ended."""
        self.epoch = report.epoch
        metrics = "  ".join(f"{name} {number(report.metrics[name])}" for name in self._metrics)
        text = f"epoch {report.epoch}/{self._epochs}  {metrics}"
        if self._bar is None or self._task is None:
            self._out.print(f"{text}  {report.train_seconds:.1f} s", soft_wrap=True)
        else:
            self._bar.update(self._task, completed=report.epoch, description=text)
