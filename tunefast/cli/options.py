"""Options that every command has, and what they mean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunefast.errors import UserError

PRINTED = Path("-")
"""As a file to write: standard output."""
Storage = Annotated[
    str, typer.Option("--storage", envvar="TUNEFAST_STORAGE", help="Database URL of the studies.", metavar="URL")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print tracebacks of errors.")]
Workers = Annotated[
    int | None,
    typer.Option("-n", help="Workers to start. Default: one per GPU, else half the cores.", metavar="N"),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, or cuda:0,1.", metavar="DEVICE")]
Grace = Annotated[
    float,
    typer.Option("--grace", help="Seconds that a trial has to end its epoch after Ctrl-C.", metavar="SECONDS", min=0),
]
Confirm = Annotated[
    int | None,
    typer.Option(
        "--confirm", help="Then train the best K again on new seeds, with the same workers.", metavar="K", min=1
    ),
]
Seeds = Annotated[int, typer.Option("--seeds", help="New seeds for each of them.", metavar="S", min=1, max=1000)]
Detach = Annotated[bool, typer.Option("--detach", help="Work in a process of its own that outlives this terminal.")]


def _refuse_budget(value: str | None) -> None:
    if value is not None:
        raise UserError(
            message="the budget is no option here: it stands in the spec, as [budget] trials = 40 (minutes, target); "
            "of a study that there is already change it: tunefast study extend NAME --trials N"
        )


NoBudget = Annotated[
    str | None,
    typer.Option(
        "--trials",
        "--minutes",
        "--target",
        "--budget",
        hidden=True,
        is_eager=True,
        callback=_refuse_budget,
        help="Where the budget is set.",
    ),
]
"""What people try, so that they are told where the budget is set."""
StudyName = Annotated[str, typer.Argument(help="Name of a study.", metavar="NAME")]
SpecFile = Annotated[Path, typer.Argument(help="Spec of the study, a TOML file.", metavar="FILE")]
