"""What commands that train share: lend slots, show progress, print the result."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, replace

from rich.console import Console

from tunefast.cli.detach import detach, say_ready
from tunefast.cli.live import LiveView
from tunefast.cli.output import console, print_json
from tunefast.cli.result import result_document, show_result
from tunefast.cli.summary import REASONS, how_to_go_on, why_over
from tunefast.cli.then_confirm import Confirming, Wish, check_room
from tunefast.dashboard.stored import leave_figures
from tunefast.errors import StudyPaused
from tunefast.run.host import Departure, Host
from tunefast.run.looking import workers
from tunefast.run.prepare import check_objective
from tunefast.run.slots import crowding, devices_for
from tunefast.run.specs import optuna_page
from tunefast.shell import command
from tunefast.store.engine import database_path
from tunefast.store.snapshot import StudySnapshot, snapshot
from tunefast.store.studies import check_usable

INTERRUPTED = 128
"""A command ended by signal N leaves with this plus N."""


@dataclass(frozen=True)
class Lending:
    """What the user lends to a study, and how."""

    workers: int | None
    device: str
    storage: str
    grace: float
    detached: bool
    to_json: bool
    then: Wish | None = None
    """What to confirm with the same workers when the search has ended."""

    @property
    def options(self) -> list[str]:
        """The same on a command line, but for the storage."""
        num = [] if self.workers is None else ["-n", str(self.workers)]
        return ["--device", self.device, "--grace", str(self.grace), *num, *self.confirm]

    @property
    def confirm(self) -> list[str]:
        """Of these, what asks for a confirmation."""
        return [] if self.then is None else ["--confirm", str(self.then.top), "--seeds", str(self.then.seeds)]


def lend(name: str, lending: Lending) -> int:
    """Work on the study until it ends or the user stops it, here or in a process without this terminal.

    Returns the exit code.
    """
    path = database_path(lending.storage)
    check_usable(path)
    devices = devices_for(lending.device, lending.workers)
    study = snapshot(path, name)
    check_objective(study.spec)
    if lending.then is not None:
        check_room(path, study)
    out = console(to_json=lending.to_json)
    if (caution := crowding(devices)) is not None:
        out.print(caution)
    if lending.then is None and study.is_over and all(trial.state.is_finished() for trial in study.trials):
        reason = why_over(study)
        out.print(f"Nothing was left to do: {REASONS[reason]}. {how_to_go_on(study, lending.storage)}", soft_wrap=True)
        return _concluded(out, name, Departure(reason=reason), lending)
    if lending.detached:
        return detach(path, name, lending.options, lending.storage, to_json=lending.to_json)
    confirming = None if lending.then is None else Confirming(path, name, lending.then, len(devices), out)
    with LiveView(out, lending.storage) as view:
        host = Host(
            path,
            name,
            devices,
            explicit=lending.workers is not None,
            on_progress=view.show,
            on_note=say_ready(view.note),
            following=None if confirming is None else confirming.begin,
            grace_seconds=lending.grace,
        )
        departure = asyncio.run(host.run())
    left = departure.signal is not None or departure.taken_back
    if confirming is not None and confirming.waits and not left:
        leave_figures(path, {name}, optuna_page(), lambda text: out.print(text, soft_wrap=True))
        return lend(confirming.name, replace(lending, workers=1, then=None))
    if host.study != name:
        lending = replace(lending, then=None)
    code = _concluded(out, host.study, departure, lending)
    if not left:  # who asks to leave does not wait for pictures
        leave_figures(path, {name, host.study}, optuna_page(), lambda text: out.print(text, soft_wrap=True))
    return code


def _concluded(out: Console, name: str, departure: Departure, lending: Lending) -> int:
    """Say how work on the study ended; the exit code."""
    if departure.reason == "deleted":
        out.print(f"Study {name} was deleted meanwhile.")
        return 1
    path = database_path(lending.storage)
    study = snapshot(path, name)
    if lending.to_json:
        print_json(result_document(path, study, departure.reason))
    again = command("study", "run", name, *lending.confirm, storage=lending.storage)
    if departure.signal is not None or departure.taken_back:
        _show_how_to_go_on(out, study, departure, again, (workers(path, besides=os.getpid()) or {}).get(name, 0))
        return 0 if departure.signal is None else INTERRUPTED + departure.signal
    if departure.reason == "paused":
        raise StudyPaused(name=name, problem=departure.error, command=again)
    show_result(out, path, study, departure.reason, lending.storage)
    if departure.error is not None:
        out.print(f"\nThe error:\n{departure.error}", markup=False)
        return 1
    return 0 if study.best is not None else 1


def _show_how_to_go_on(out: Console, study: StudySnapshot, departure: Departure, again: str, others: int) -> None:
    what = "The workers lent here have ended." if departure.taken_back else "Stopped."
    if others:
        out.print(f"{what} Study {study.name} goes on with {others} worker{'s' * (others != 1)} of others.")
        return
    running = study.num_unfinished
    unfinished = "1 unfinished trial goes" if running == 1 else f"{running} unfinished trials go"
    where = "from the last epoch" if study.trains_with_ours else "from what the training has kept"
    out.print(f"{what} {unfinished} on {where}, when you type:", soft_wrap=True)
    out.print(f"  {again}", soft_wrap=True)
