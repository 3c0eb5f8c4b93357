"""The command `tunefast`."""

from __future__ import annotations

import sys
import traceback

import typer

from tunefast.cli import dashboard, doctor, explain, init, report, studies, train, trial, worker
from tunefast.errors import TunefastError

INTERRUPTED = 130

app = typer.Typer(
    name="tunefast",
    help="Find the training recipe that reaches the accuracy you need soonest.",
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
