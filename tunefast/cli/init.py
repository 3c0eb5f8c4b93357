"""`tunefast init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunefast.cli.options import Verbose
from tunefast.cli.output import console
from tunefast.errors import UserError

TEMPLATE = Path(__file__).parent / "template.toml"


def init(
    directory: Annotated[Path, typer.Argument(help="Where to write it.", metavar="[DIR]")] = Path(),
    verbose: Verbose = False,
) -> None:
    """Write a commented spec, study.toml, to start from."""
    path = directory / "study.toml"
    if path.exists():
        raise UserError(message=f"{path} exists already; nothing was written")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        path.write_text(TEMPLATE.read_text(encoding="utf-8"), encoding="utf-8")
    except OSError as error:
        raise UserError(message=f"{path} cannot be written ({error.strerror})") from error
    console().print(f"Wrote {path}. Run it: tunefast study run {path}", soft_wrap=True)
