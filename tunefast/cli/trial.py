"""`tunefast trial`: what can be done to a single trial."""

from __future__ import annotations

from typing import Annotated

import typer

from tunefast.cli.editing import change_of
from tunefast.cli.going_on import how_it_goes_on
from tunefast.cli.group import Group
from tunefast.cli.options import Json, Storage, Verbose
from tunefast.cli.output import console, print_json, short_params
from tunefast.run.cloning import clone_trial
from tunefast.run.looking import look
from tunefast.shell import DEFAULT_STORAGE, command
from tunefast.store.engine import database_path
from tunefast.store.snapshot import snapshot

app = typer.Typer(cls=Group, help="What can be done to a single trial.", no_args_is_help=True)


@app.callback()
def trial() -> None:
    """What can be done to a single trial."""


@app.command("clone")
def clone(
    number: Annotated[int, typer.Argument(help="The trial to start from.", metavar="N")],
    study: Annotated[str, typer.Option("--study", help="Its study.", metavar="NAME")],
    changes: Annotated[
        list[str], typer.Option("--set", help="A searched setting, as in optimizer.lr=0.01.", metavar="P=V")
    ] = [],  # noqa: B006  typer's way
    storage: Storage = DEFAULT_STORAGE,
    to_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Queue a variant of a trial with other settings, which goes on from the trial's checkpoint where it left one."""
    path = database_path(storage)
    made = clone_trial(path, snapshot(path, study), number, dict(change_of(text) for text in changes))
    if to_json:
        print_json({"study": study, **made._asdict()})
        return
    continues = made.start == "checkpoint"
    start = f"from the checkpoint of trial {number}" if continues else "from the beginning"
    out = console()
    out.print(f"Trial {made.trial} of {study} waits, to start {start}: {short_params(made.params)}", soft_wrap=True)
    if not continues:
        out.print(f"Not from a checkpoint, since {made.why}.", soft_wrap=True)
    if not made.is_in_budget:
        first = command("study", "extend", study, "--trials", made.needs_trials, storage=storage)
        out.print(f"The budget is used up; first: {first}", soft_wrap=True)
    out.print(how_it_goes_on(look(path, study), storage), soft_wrap=True)
