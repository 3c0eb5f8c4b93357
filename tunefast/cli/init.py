"""`tunefast init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import tunefast.reporter
from tunefast.cli.options import Verbose
from tunefast.cli.output import console
from tunefast.errors import UserError
from tunefast.shell import command

TEMPLATE = Path(__file__).parent / "template.toml"
REPORTER = Path(tunefast.reporter.__file__).parent / "tunefast_report.py"


def init(
    directory: Annotated[Path, typer.Argument(help="Where to write it.", metavar="[DIR]")] = Path(),
    reporter: Annotated[
        bool, typer.Option("--reporter", help="Write tunefast_report.py, for a script of your own, instead.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Write a commented spec, study.toml, to start from."""
    path = directory / (REPORTER.name if reporter else "study.toml")
    if path.exists():
        raise UserError(message=f"{path} exists already; nothing was written")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        path.write_text((REPORTER if reporter else TEMPLATE).read_text(encoding="utf-8"), encoding="utf-8")
    except OSError as error:
        raise UserError(message=f"{path} cannot be written ({error.strerror})") from error
    run = f"Run it: {command('study', 'run', path)}"
    todo = "In your script: from tunefast_report import report" if reporter else run
    console().print(f"Wrote {path}. {todo}", soft_wrap=True)
