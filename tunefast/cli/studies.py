"""`tunefast study`: create, run, look at, change and delete studies."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from tunefast.api import DEFAULT_STORAGE
from tunefast.cli import check, confirming, editing, importing, watch
from tunefast.cli.lend import lend
from tunefast.cli.options import (
    Detach,
    Device,
    Grace,
    Json,
    SpecFile,
    Storage,
    StudyName,
    Verbose,
    Workers,
    storage_flag,
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
from tunefast.cli.specs import differences, find_spec
from tunefast.errors import SpecChanged, StudyExists, StudyNotOurs, UserError
from tunefast.run.commands import create_study, delete_study, extend_study, is_worked_on
from tunefast.run.enqueuing import retry_trials
from tunefast.run.host import GRACE_SECONDS
from tunefast.run.prepare import located, warnings
from tunefast.run.slots import devices_for
from tunefast.search.confirmed import best_trial, confirmation_of
from tunefast.search.confirming import check_extensible
from tunefast.spec.samplers import GridSampler
from tunefast.spec.sections import Budget
from tunefast.spec.study import StudySpec
from tunefast.store.engine import database_path
from tunefast.store.rows import num_in_budget
from tunefast.store.snapshot import confirmation, snapshot, study_names
from tunefast.store.studies import check_usable

app = typer.Typer(help="Create, run, look at, change and delete studies.", no_args_is_help=True)

NewName = Annotated[str | None, typer.Option("--name", help="Name of the study; default: what the file says.")]


@app.command("create")
def create(
    file: SpecFile,
    name: NewName = None,
    unchecked: Annotated[
        bool, typer.Option("--skip-check", help="Take no step of its recipes, as where another machine trains them.")
    ] = False,
    storage: Storage = DEFAULT_STORAGE,
    to_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Check a spec and store it as a new study, without any trial yet."""
    path = database_path(storage)
    spec = find_spec(str(file), name)
    check_usable(path)
    if path.exists() and spec.study.name in study_names(path):
        raise StudyExists(name=spec.study.name, storage=path)
    spec = located(spec)
    if not unchecked:
        check.check_quickly(spec, "auto", console(to_json=to_json))
    create_study(path, spec)
    _warn(spec, "auto", to_json=to_json)
    if to_json:
        print_json({"study": spec.study.name, "storage": str(path)})
        return
    flag = storage_flag(storage)
    out = console()
    out.print(f"Created study {spec.study.name}: {_plan(spec)}.", soft_wrap=True)
    out.print(f"Run it:                   tunefast study run {spec.study.name}{flag}", soft_wrap=True)
    out.print(f"Or in several terminals:  tunefast worker start {spec.study.name} -n 1{flag}", soft_wrap=True)


def _warn(spec: StudySpec, device: str, *, to_json: bool) -> None:
    """Say which choices cost speed on the device that the study would train on, or are the same there."""
    (place,) = devices_for(device, 1)
    for text in warnings(spec, place):
        console(to_json=to_json).print(f"Note: {text}", soft_wrap=True)


def _plan(spec: StudySpec) -> str:
    limits = {"trials": spec.budget.trials, "minutes": spec.budget.minutes}
    words = [f"{value:g} {unit}" for unit, value in limits.items() if value is not None]
    if isinstance(spec.study.sampler, GridSampler):
        words.insert(0, f"a grid of {spec.num_cells} cells")
    return (
        f"{spec.study.sampler.name} over {len(spec.space)} setting{'s' * (len(spec.space) != 1)}, {' or '.join(words)}"
    )


@app.command("run")
def run(
    file_or_name: Annotated[str, typer.Argument(help="A spec file, a study, or one that ships.", metavar="FILE|NAME")],
    workers: Workers = None,
    device: Device = "auto",
    name: NewName = None,
    storage: Storage = DEFAULT_STORAGE,
    grace: Grace = GRACE_SECONDS,
    detached: Detach = False,
    to_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Create the study if it is new, start workers, show progress and print the result."""
    devices_for(device, workers)
    study = _ensured(file_or_name, name, storage, device, to_json=to_json)
    raise typer.Exit(lend(study, workers, device, storage, grace, detached=detached, to_json=to_json))


def _ensured(file_or_name: str, name: str | None, storage: str, device: str, *, to_json: bool) -> str:
    """The name of the study that is meant, which is created where it is new."""
    path = database_path(storage)
    check_usable(path)
    known = study_names(path) if path.exists() else {}
    if file_or_name in known and name is None:
        return file_or_name
    spec = find_spec(file_or_name, name)
    if spec.study.name not in known:
        try:
            create_study(path, located(spec))
        except StudyExists:
            pass
        else:
            _warn(spec, device, to_json=to_json)
            return spec.study.name
    budget, others = differences(snapshot(path, spec.study.name).spec, spec)
    if others:
        raise SpecChanged(name=spec.study.name, difference="\n".join(f"  {line}" for line in others))
    if budget:
        note = f"The stored budget counts, not the file's ({'; '.join(budget)}); to change it: tunefast study extend"
        console(to_json=to_json).print(note, soft_wrap=True)
    return spec.study.name


@app.command("list")
def list_(storage: Storage = DEFAULT_STORAGE, to_json: Json = False, verbose: Verbose = False) -> None:
    """List the studies in the database."""
    path = database_path(storage)
    studies: list[dict[str, Any]] = []
    for name, ours in study_names(path).items():
        studies.append(list_row(path, name, snapshot(path, name) if ours else None))
    if to_json:
        print_json(studies)
        return
    table = plain_table("study", "metric", "best", "confirmed", "trials", right=("best", "confirmed"))
    for row in studies:
        trials = counts_line(row["trials"]) or ("none yet" if row["metric"] else "not created by tunefast")
        values = (number(row["best"]), number(row["confirmed"]))
        table.add_row(Text(row["study"]), row["metric"] or "-", *values, trials)
    console().print(table if studies else "No study yet. Create one: tunefast study create FILE")


app.command("check")(check.check_)
app.command("confirm")(confirming.confirm)
app.command("edit")(editing.edit)
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
    study = snapshot(database_path(storage), name)
    if trial is None and to_json:
        print_json(study_document(study))
        return
    if trial is None:
        show_study(console(), study, confirmation_of(database_path(storage), study))
        unfinished = study.num_unfinished
        if unfinished and not is_worked_on(database_path(storage), name):
            again = f"tunefast study run {name}{storage_flag(storage)}"
            console().print(f"\nNobody works on it; the running ones go on with: {again}", soft_wrap=True)
        return
    study.trial(trial)
    print_json(trial_document(study, trial)) if to_json else show_trial(console(), study, trial)


@app.command("best")
def best(name: StudyName, storage: Storage = DEFAULT_STORAGE, to_json: Json = False, verbose: Verbose = False) -> None:
    """Print the winner's value, parameters and whole recipe: the confirmed one where there is one."""
    path = database_path(storage)
    study = snapshot(path, name)
    found = confirmation_of(path, study)
    winner = best_trial(study, found)
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
    check_extensible(study)
    num_trials = num_in_budget(study.trials)
    if trials is not None and trials < num_trials:
        raise UserError(message=f"--trials {trials}: study {name!r} has {num_trials} trials already")
    extend_study(path, name, Budget(trials=trials, minutes=minutes, target=target))
    limits = snapshot(path, name).spec.budget.model_dump(exclude_none=True)
    if to_json:
        print_json({"study": name, "budget": limits})
        return
    words = ", ".join(f"{key} = {value:g}" for key, value in limits.items())
    console().print(
        f"Study {name} now has the budget {words}. Go on: tunefast study run {name}{storage_flag(storage)}",
        soft_wrap=True,
    )


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
    console().print(f"Go on: tunefast study run {name}{storage_flag(storage)}", soft_wrap=True)


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
