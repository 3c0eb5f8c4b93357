"""`tunefast study create` and `tunefast study run`."""

from __future__ import annotations

from typing import Annotated

import typer

from tunefast.cli.check import check_quickly
from tunefast.cli.lend import Lending, lend
from tunefast.cli.options import (
    Confirm,
    Detach,
    Device,
    Grace,
    Json,
    NoBudget,
    Seeds,
    SpecFile,
    Storage,
    Verbose,
    Workers,
)
from tunefast.cli.output import console, print_json
from tunefast.cli.then_confirm import Wish
from tunefast.errors import StudyExists
from tunefast.run.commands import create_study
from tunefast.run.host import GRACE_SECONDS
from tunefast.run.prepare import located, warnings
from tunefast.run.slots import devices_for
from tunefast.run.specs import ensure_study, find_spec
from tunefast.shell import DEFAULT_STORAGE, command
from tunefast.spec.samplers import GridSampler
from tunefast.spec.study import StudySpec
from tunefast.store.engine import database_path
from tunefast.store.snapshot import study_names
from tunefast.store.studies import check_new_name, check_usable

NewName = Annotated[str | None, typer.Option("--name", help="Name of the study; default: what the file says.")]


def create(
    file: SpecFile,
    name: NewName = None,
    unchecked: Annotated[
        bool, typer.Option("--skip-check", help="Take no step of its recipes, as where another machine trains them.")
    ] = False,
    storage: Storage = DEFAULT_STORAGE,
    to_json: Json = False,
    verbose: Verbose = False,
    no_budget: NoBudget = None,
) -> None:
    """Check a spec and store it as a new study, without any trial yet."""
    path = database_path(storage)
    spec = find_spec(str(file), name)
    check_new_name(spec.study.name)
    check_usable(path)
    if path.exists() and spec.study.name in study_names(path):
        again = command("study", "run", spec.study.name, storage=storage)
        raise StudyExists(name=spec.study.name, storage=path, command=again)
    spec = located(spec)
    if not unchecked:
        check_quickly(spec, "auto", console(to_json=to_json))
    create_study(path, spec)
    _warn(spec, "auto", to_json=to_json)
    if to_json:
        print_json({"study": spec.study.name, "storage": str(path)})
        return
    run, start = ("study", "run", spec.study.name), ("worker", "start", spec.study.name, "-n", 1)
    out = console()
    out.print(f"Created study {spec.study.name}: {_plan(spec)}.", soft_wrap=True)
    out.print(f"Run it:                   {command(*run, storage=storage)}", soft_wrap=True)
    out.print(f"Or in several terminals:  {command(*start, storage=storage)}", soft_wrap=True)


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


def run(
    file_or_name: Annotated[str, typer.Argument(help="A spec file, a study, or one that ships.", metavar="FILE|NAME")],
    workers: Workers = None,
    device: Device = "auto",
    name: NewName = None,
    storage: Storage = DEFAULT_STORAGE,
    grace: Grace = GRACE_SECONDS,
    confirm: Confirm = None,
    seeds: Seeds = 3,
    detached: Detach = False,
    to_json: Json = False,
    verbose: Verbose = False,
    no_budget: NoBudget = None,
) -> None:
    """Create the study if it is new, start workers, show progress and print the result."""
    devices_for(device, workers)
    study = _ensured(file_or_name, name, storage, device, to_json=to_json)
    then = None if confirm is None else Wish(confirm, seeds)
    raise typer.Exit(lend(study, Lending(workers, device, storage, grace, detached, to_json, then)))


def _ensured(file_or_name: str, name: str | None, storage: str, device: str, *, to_json: bool) -> str:
    """The name of the study that is meant, which is created where it is new."""
    study = ensure_study(database_path(storage), file_or_name, name)
    if study.created is not None:
        _warn(study.created, device, to_json=to_json)
    if study.budget:
        extend = command("study", "extend", study.name, "--trials", "N", storage=storage)
        note = f"The stored budget counts, not the file's ({'; '.join(study.budget)}); to change it: {extend}"
        console(to_json=to_json).print(note, soft_wrap=True)
    return study.name
