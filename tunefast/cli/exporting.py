"""`tunefast study export`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from tunefast.cli.options import PRINTED, Storage, StudyName, Verbose
from tunefast.cli.output import console
from tunefast.errors import UserError
from tunefast.export.files import FORMATS, Format, check_target, encoded, write_whole
from tunefast.export.tables import epoch_table, trial_table
from tunefast.export.trackers import Tracker, check_directory, write_directory
from tunefast.run.looking import look
from tunefast.shell import DEFAULT_STORAGE
from tunefast.store.engine import database_path

Kind = Literal["csv", "json", "parquet", "tensorboard", "mlflow"]


def export(
    name: StudyName,
    kind: Annotated[
        Kind | None,
        typer.Option("--format", help="Default: as the end of FILE says; csv where it has none.", metavar="FORMAT"),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("-o", help="File to write; a tracker's is a directory. Default: standard output.", metavar="FILE"),
    ] = None,
    epochs: Annotated[bool, typer.Option("--epochs", help="A row an epoch report instead of a row a trial.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over FILE where it exists.")] = False,
    storage: Storage = DEFAULT_STORAGE,
    verbose: Verbose = False,
) -> None:
    """Write trials or epochs as csv, json or parquet, or both for tensorboard or mlflow; also while the study runs."""
    path = database_path(storage)
    if kind == "tensorboard" or kind == "mlflow":  # noqa: PLR1714  which mypy follows
        _export_runs(path, name, kind, file, epochs=epochs)
        return
    file = None if file == PRINTED else file
    kind = kind or _by_suffix(file)
    if file is not None:
        check_target(file, force=force)
    elif kind == "parquet":
        raise UserError(message="--format parquet: is no text to print; name a file with -o FILE")
    study = look(path, name)
    table = epoch_table(study) if epochs else trial_table(study)
    content = encoded(table, kind)
    if file is None:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
        return
    write_whole(file, content, force=force)
    _say(len(table.rows), "epoch" if epochs else "trial", file)


def _export_runs(path: Path, name: str, tracker: Tracker, directory: Path | None, *, epochs: bool) -> None:
    """A directory of a tracker's, with all trials and all epochs."""
    if directory is None:
        raise UserError(message=f"--format {tracker}: name a new directory with -o DIR")
    if epochs:
        raise UserError(message=f"--format {tracker} holds the epochs anyway; leave --epochs out")
    check_directory(directory, tracker)
    _say(write_directory(look(path, name), directory, tracker), "trial", directory)


def _say(count: int, what: str, where: Path) -> None:
    console().print(f"Wrote {count:,} {what}{'s' * (count != 1)} to {where}.", soft_wrap=True)


def _by_suffix(file: Path | None) -> Format:
    """The format that the end of a file's name says. Raises `UserError` for an end that says another one."""
    suffix = "" if file is None else file.suffix.removeprefix(".").lower()
    found = next((known for known in FORMATS if known == suffix), None if suffix else "csv")
    if found is None:
        ends = ", ".join(f".{known}" for known in FORMATS)
        raise UserError(message=f"-o {file}: its name ends in none of {ends}; use one of them, or give --format")
    return found
