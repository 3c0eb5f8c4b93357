"""`tunefast worker`: lending this machine's slots to studies."""

from __future__ import annotations

import typer

from tunefast.cli.control import stop_worker
from tunefast.cli.group import Group
from tunefast.cli.lend import Lending, lend
from tunefast.cli.options import (
    Confirm,
    Detach,
    Device,
    Grace,
    Json,
    NoBudget,
    Seeds,
    Storage,
    StudyName,
    Verbose,
    Workers,
)
from tunefast.cli.output import console, plain_table, print_json
from tunefast.cli.then_confirm import Wish
from tunefast.run.commands import list_workers
from tunefast.run.host import GRACE_SECONDS
from tunefast.shell import DEFAULT_STORAGE
from tunefast.store.engine import database_path

app = typer.Typer(cls=Group, help="Start workers, list them.", no_args_is_help=True)


@app.command("start")
def start(
    name: StudyName,
    workers: Workers = None,
    device: Device = "auto",
    storage: Storage = DEFAULT_STORAGE,
    grace: Grace = GRACE_SECONDS,
    confirm: Confirm = None,
    seeds: Seeds = 3,
    detached: Detach = False,
    to_json: Json = False,
    verbose: Verbose = False,
    no_budget: NoBudget = None,
) -> None:
    """Train trials of a study with workers of this machine, beside those that are there already."""
    then = None if confirm is None else Wish(confirm, seeds)
    raise typer.Exit(lend(name, Lending(workers, device, storage, grace, detached, to_json, then)))


app.command("stop")(stop_worker)


@app.command("list")
def list_(storage: Storage = DEFAULT_STORAGE, to_json: Json = False, verbose: Verbose = False) -> None:
    """List the workers that are at work on the database."""
    found = list_workers(database_path(storage))
    if to_json:
        print_json(found)
        return
    if found["coordinator"] is None:
        console().print("No worker is at work.")
        return
    table = plain_table("worker", "process", "study", "device", "trial", "host", right=("process", "trial", "host"))
    for row in found["workers"]:
        trial = "-" if row["trial"] is None else str(row["trial"])
        table.add_row(row["worker"], str(row["pid"]), row["study"], row["device"], trial, str(row["host"]))
    console().print(table)
    console().print(f"coordinator: process {found['coordinator']}")
