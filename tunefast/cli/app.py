"""The command `tunefast`."""

from __future__ import annotations

import importlib.metadata
import sys
import traceback
from typing import Annotated

import typer

from tunefast.cli import dashboard, doctor, explain, init, report, studies, train, trial, worker
from tunefast.cli.group import Group
from tunefast.errors import TunefastError

INTERRUPTED = 130

app = typer.Typer(
    name="tunefast",
    cls=Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(init.init)
app.add_typer(studies.app, name="study")
app.add_typer(worker.app, name="worker")
app.add_typer(trial.app, name="trial")
app.command("train")(train.train)
app.command("report")(report.report)
app.command("dashboard")(dashboard.dashboard)
app.command("doctor")(doctor.doctor)
app.command("explain")(explain.explain)
app.command("schema")(explain.schema)


def _say_version(value: bool) -> None:
    if value:
        print(f"tunefast {importlib.metadata.version('tunefast')}")  # noqa: T201
        raise typer.Exit


@app.callback()
def _of_all(
    version: Annotated[
        bool, typer.Option("--version", help="Say which tunefast this is.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    """Find the training recipe that reaches the accuracy you need soonest."""


def main() -> None:
    """Run the command line: one message and an exit code for every error; a traceback only for who asks (-v)."""
    try:
        app()
    except TunefastError as error:
        if {"-v", "--verbose"} & set(sys.argv):
            traceback.print_exc()
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
