"""`tunefast study`: create, run, look at, change and delete studies."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from tunefast.cli import check, confirming, control, creating, editing, exporting, importing, watch
from tunefast.cli.going_on import how_it_goes_on
from tunefast.cli.group import Group
from tunefast.cli.options import (
    Json,
    Storage,
    StudyName,
    Verbose,
)
from tunefast.cli.output import console, counts_line, number, plain_table, print_json
from tunefast.cli.showing import (
    best_document,
    list_row,
    show_best,
    show_study,
    show_trial,
    study_document,
    trial_document,
)
from tunefast.errors import StudyNotOurs, UserError
from tunefast.run.commands import delete_study, extend_study
from tunefast.run.enqueuing import retry_trials
from tunefast.run.looking import look, seen, workers
from tunefast.search.confirmed import best_trial, confirmation_of
from tunefast.search.confirming import check_extensible
from tunefast.shell import DEFAULT_STORAGE, command
from tunefast.spec.sections import Budget
from tunefast.store.engine import database_path
from tunefast.store.rows import num_in_budget
from tunefast.store.snapshot import confirmation, snapshot, study_names

app = typer.Typer(cls=Group, help="Create, run, look at, change and delete studies.", no_args_is_help=True)


@app.command("list")
def list_(storage: Storage = DEFAULT_STORAGE, to_json: Json = False, verbose: Verbose = False) -> None:
    """List the studies in the database."""
    path = database_path(storage)
    studies: list[dict[str, Any]] = []
    at_work = workers(path)
    for name, ours in study_names(path).items():
        studies.append(list_row(path, name, seen(snapshot(path, name), at_work) if ours else None))
    if to_json:
        print_json(studies)
        return
    table = plain_table("study", "metric", "best", "confirmed", "trials", right=("best", "confirmed"))
    for row in studies:
        trials = counts_line(row["trials"]) or ("none yet" if row["metric"] else "not created by tunefast")
        trials = f"paused: {trials}" if row["paused"] else trials
        values = (number(row["best"]), number(row["confirmed"]))
        table.add_row(Text(row["study"]), row["metric"] or "-", *values, trials)
    create = command("study", "create", "FILE", storage=storage)
    console().print(table if studies else f"No study yet. Create one: {create}", soft_wrap=not studies)


app.command("create")(creating.create)
app.command("run")(creating.run)
app.command("check")(check.check_)
app.command("confirm")(confirming.confirm)
app.command("edit")(editing.edit)
app.command("export")(exporting.export)
app.command("pause")(control.pause)
app.command("resume")(control.resume)
app.command("stop")(control.stop)
app.command("watch")(watch.watch)
app.command("logs")(watch.logs)
app.command("import")(importing.import_)


@app.command("show")
def show(
    name: StudyName,
    trial: Annotated[int | None, typer.Option("--trial", help="One trial, with its curve.", metavar="N")] = None,
    storage: Storage = DEFAULT_STORAGE,
    to_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show a study and its trials, or one trial with its curve."""
    study = look(database_path(storage), name)
    if trial is None and to_json:
        print_json(study_document(study))
        return
    if trial is None:
        show_study(console(), study, confirmation_of(database_path(storage), study), storage)
        if study.is_paused:
            console().print(f"\n{how_it_goes_on(study, storage)}", soft_wrap=True)
        elif study.num_unfinished and study.num_workers == 0:
            again = command("study", "run", name, storage=storage)
            console().print(f"\nNobody works on it; the waiting ones go on with: {again}", soft_wrap=True)
        return
    study.trial(trial)
    print_json(trial_document(study, trial)) if to_json else show_trial(console(), study, trial)


@app.command("best")
def best(name: StudyName, storage: Storage = DEFAULT_STORAGE, to_json: Json = False, verbose: Verbose = False) -> None:
    """Print the winner's value, parameters and whole recipe: the confirmed one where there is one."""
    path = database_path(storage)
    study = snapshot(path, name)
    found = confirmation_of(path, study)
    winner = best_trial(study, found, storage)
    print_json(best_document(study, winner, found)) if to_json else show_best(console(), study, winner, found)


@app.command("extend")
def extend(
    name: StudyName,
    trials: Annotated[int | None, typer.Option("--trials", help="Trials in all.", metavar="N", min=1)] = None,
    minutes: Annotated[float | None, typer.Option("--minutes", help="Active minutes in all.", metavar="M")] = None,
    target: Annotated[float | None, typer.Option("--target", help="Metric at which to stop.", metavar="VALUE")] = None,
    storage: Storage = DEFAULT_STORAGE,
    to_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Change the budget of a study, also while it runs."""
    if trials is None and minutes is None and target is None:
        raise UserError(message="give --trials, --minutes or --target: the new limits of the whole study")
    if minutes is not None and minutes <= 0:
        raise UserError(message=f"--minutes {minutes:g}: must be greater than 0")
    path = database_path(storage)
    study = snapshot(path, name)
    check_extensible(study, storage)
    num_trials = num_in_budget(study.trials)
    if trials is not None and trials < num_trials:
        raise UserError(message=f"--trials {trials}: study {name!r} has {num_trials} trials already")
    extend_study(path, name, Budget(trials=trials, minutes=minutes, target=target))
    study = look(path, name)
    limits = study.spec.budget.model_dump(exclude_none=True)
    if to_json:
        print_json({"study": name, "budget": limits})
        return
    words = ", ".join(f"{key} = {value:g}" for key, value in limits.items())
    how = how_it_goes_on(study, storage)
    console().print(f"Study {name} now has the budget {words}. {how}", soft_wrap=True)


@app.command("retry")
def retry(
    name: StudyName,
    trial: Annotated[int | None, typer.Option("--trial", help="This one alone.", metavar="N")] = None,
    storage: Storage = DEFAULT_STORAGE,
    to_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Queue the trials that failed to be trained again, in their own place in the budget."""
    path = database_path(storage)
    again = retry_trials(path, snapshot(path, name), trial)
    if to_json:
        print_json({"study": name, "retried": again})
        return
    if not again:
        tried = snapshot(path, name).counts.get("retried", 0)
        more = ", but for those that are tried again already" if tried else ""
        console().print(f"No trial of study {name} has failed{more}.")
        return
    numbers = ", ".join(f"{old} as {new}" for old, new in again.items())
    what = "trial waits" if len(again) == 1 else "trials wait"
    console().print(f"{len(again)} failed {what} to be trained again: {numbers}.", soft_wrap=True)
    console().print(how_it_goes_on(look(path, name), storage), soft_wrap=True)


@app.command("delete")
def delete(
    name: StudyName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    storage: Storage = DEFAULT_STORAGE,
    to_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Delete a study with all its trials."""
    path = database_path(storage)
    known = study_names(path)
    if name in known and not yes and not sys.stdin.isatty():
        raise UserError(message=f"nobody is there to ask; delete study {name!r} with --yes")
    if name in known and not yes:
        typer.confirm(
            f"Delete study {name} with all its trials{_and_its_confirmation(path, name)}?", abort=True, err=to_json
        )
    delete_study(path, name)
    print_json({"deleted": name}) if to_json else console().print(f"Deleted study {name}.")


def _and_its_confirmation(path: Path, name: str) -> str:
    """What else goes with a study, in words."""
    try:
        found = confirmation(path, snapshot(path, name))
    except StudyNotOurs:
        return ""
    return "" if found is None else f", and {found.name} with {len(found.trials)} more"
