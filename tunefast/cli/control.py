"""`tunefast study pause`, `resume` and `stop`, `tunefast worker stop`: what a coordinator at work is told."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tunefast.cli.options import Json, Storage, StudyName, Verbose
from tunefast.cli.output import console, print_json
from tunefast.run import control
from tunefast.run.messages import Command
from tunefast.shell import DEFAULT_STORAGE, command
from tunefast.store.engine import database_path


def pause(name: StudyName, storage: Storage = DEFAULT_STORAGE, to_json: Json = False, verbose: Verbose = False) -> None:
    """Let a study wait: no new trial begins, those that train wait after their epoch; its workers stay."""
    told = control.control(database_path(storage), Command(verb="pause", study=name))
    running = int(told["running"])
    until = "until the end of the epoch" if told["after_epoch"] else "to the end"
    after = f"; {_trials(running)} {until}" if running else ""
    how = f"Go on: {command('study', 'resume', name, storage=storage)}"
    _say({"study": name, **told}, f"Study {name} is paused{after}. {how}", to_json=to_json)


def resume(
    name: StudyName, storage: Storage = DEFAULT_STORAGE, to_json: Json = False, verbose: Verbose = False
) -> None:
    """Let a study go on that was paused."""
    told = control.control(database_path(storage), Command(verb="resume", study=name))
    text = f"Study {name} goes on." if told["was_paused"] else f"Study {name} was not paused."
    _say({"study": name, **told}, text, to_json=to_json)


def stop(
    name: StudyName,
    trial: Annotated[
        int | None, typer.Option("--trial", help="End this trial alone, pruned.", metavar="N", min=0)
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
    to_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Stop work on a study, as Ctrl-C would everywhere it was started; or end one of its trials."""
    path = database_path(storage)
    if trial is not None:
        told = control.control(path, Command(verb="stop_trial", study=name, argument={"trial": trial}))
        when = "now" if told["at_once"] else "with its next report"
        _say({"study": name, "trial": trial, **told}, f"Trial {trial} of {name} ends {when}.", to_json=to_json)
        return
    told = control.control(path, Command(verb="stop", study=name))
    num = len(told["processes"])
    who = "The process that works" if num == 1 else f"The {num} processes that work"
    how = f"Go on: {command('study', 'run', name, storage=storage)}"
    _say({"study": name, **told}, f"{who} on {name} stop{'s' * (num == 1)} after this epoch. {how}", to_json=to_json)


def stop_worker(
    worker: Annotated[str, typer.Argument(help="Name of a worker: see tunefast worker list.", metavar="WORKER")],
    storage: Storage = DEFAULT_STORAGE,
    to_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Take a slot back: its worker goes after its epoch, and its trial goes on elsewhere or later."""
    told = control.control(database_path(storage), Command(verb="unlend", argument={"worker": worker}))
    ended = "has ended its epoch" if told["after_epoch"] else "has ended"
    when = "now" if told["trial"] is None else f"when trial {told['trial']} {ended}"
    _say({"worker": worker, **told}, f"Worker {worker} goes {when}.", to_json=to_json)


def _trials(num: int) -> str:
    return f"{num} trial{'s' * (num != 1)} train{'s' * (num == 1)}"


def _say(document: dict[str, Any], text: str, *, to_json: bool) -> None:
    if to_json:
        print_json(document)
    else:
        console().print(text, soft_wrap=True, markup=False)
