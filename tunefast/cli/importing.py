"""`tunefast study import`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tunefast.cli.going_on import how_it_goes_on
from tunefast.cli.options import Json, Storage, Verbose
from tunefast.cli.output import console, print_json
from tunefast.errors import UserError
from tunefast.report.sentences import trials
from tunefast.run.commands import import_trials
from tunefast.run.looking import look
from tunefast.shell import DEFAULT_STORAGE
from tunefast.store.engine import database_path
from tunefast.store.snapshot import snapshot


def import_(
    url: Annotated[
        str,
        typer.Argument(
            help="Storage of a stock Optuna study; it is only read. - reads the URL from standard input.", metavar="URL"
        ),
    ],
    study: Annotated[str, typer.Option("--study", help="Its name there.", metavar="NAME")],
    into: Annotated[str, typer.Option("--into", help="The study of ours to bring its trials into.", metavar="NAME")],
    renamed: Annotated[
        list[str], typer.Option("--map", help="A setting's name there, and its path here.", metavar="OLD=NEW")
    ] = [],  # noqa: B006  typer's way
    storage: Storage = DEFAULT_STORAGE,
    to_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Bring the trials and curves of a stock Optuna study, so that sampler and pruner start from them."""
    names: dict[str, str] = {}
    for pair in renamed:
        old, equals, new = pair.partition("=")
        if not (old and equals and new):
            raise UserError(message=f"--map {pair}: should be OLD=NEW, as in --map lr=optimizer.lr")
        names[old] = new
    if url == "-":  # where a password is seen by nobody who lists processes
        url = sys.stdin.readline().strip()
    path = database_path(storage)
    found = import_trials(path, into, url, study, snapshot(path, into).spec, names)
    if to_json:
        print_json({"study": into, "imported": len(found.trials), "left_out": found.left_out, "unused": found.unused})
        return
    out, verb = console(), "is" if len(found.trials) == 1 else "are"
    out.print(f"{trials(len(found.trials))} of {study} {verb} now in {into}; its budget is untouched.")
    for reason, count in found.left_out.items():
        out.print(f"  left out: {count} {'trial' if count == 1 else 'trials'}, since each {reason}", soft_wrap=True)
    if found.unused:
        out.print(f"  settings that the space does not have: {', '.join(found.unused)}", soft_wrap=True)
    out.print(how_it_goes_on(look(path, into), storage), soft_wrap=True)
