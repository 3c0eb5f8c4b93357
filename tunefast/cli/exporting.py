"""`tunefast study export`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tunefast.api import DEFAULT_STORAGE
from tunefast.cli.options import Storage, StudyName, Verbose
from tunefast.cli.output import console
from tunefast.errors import UserError
from tunefast.export.files import FORMATS, Format, check_target, encoded, write_whole
from tunefast.export.tables import epoch_table, trial_table
from tunefast.store.engine import database_path
from tunefast.store.snapshot import snapshot


def export(
    name: StudyName,
    kind: Annotated[
        Format | None, typer.Option("--format", help="Default: as the end of FILE says, else csv.", metavar="FORMAT")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("-o", help="File to write. Default: standard output.", metavar="FILE")
    ] = None,
    epochs: Annotated[bool, typer.Option("--epochs", help="A row an epoch report instead of a row a trial.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over FILE where it exists.")] = False,
    storage: Storage = DEFAULT_STORAGE,
    verbose: Verbose = False,
) -> None:
    """Write a study's trials, or their epochs, as csv, json or parquet; also while it runs."""
    kind = kind or _by_suffix(file)
    if file is not None:
        check_target(file, force=force)
    elif kind == "parquet":
        raise UserError(message="--format parquet: is no text to print; name a file with -o FILE")
    study = snapshot(database_path(storage), name)
    table = epoch_table(study) if epochs else trial_table(study)
    content = encoded(table, kind)
    if file is None:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
        return
    write_whole(file, content, force=force)
    what = "epoch" if epochs else "trial"
    console().print(f"Wrote {len(table.rows):,} {what}{'s' * (len(table.rows) != 1)} to {file}.", soft_wrap=True)


def _by_suffix(file: Path | None) -> Format:
    suffix = "" if file is None else file.suffix.removeprefix(".").lower()
    return next((known for known in FORMATS if known == suffix), "csv")
