"""What `study run` and `worker start` share: lend slots, show progress, print the result."""

from __future__ import annotations

import asyncio

from rich.console import Console

from tunefast.cli.detach import detach, say_ready
from tunefast.cli.live import LiveView
from tunefast.cli.options import storage_flag
from tunefast.cli.output import console, print_json
from tunefast.cli.result import result_document, show_result
from tunefast.errors import StudyPaused
from tunefast.run.host import Host
from tunefast.run.prepare import check_objective
from tunefast.run.slots import devices_for
from tunefast.store.engine import database_path
from tunefast.store.snapshot import StudySnapshot, snapshot
from tunefast.store.studies import check_usable

INTERRUPTED = 128
"""A command ended by signal N leaves with this plus N."""


def lend(
    name: str, workers: int | None, device: str, storage: str, grace: float, *, detached: bool, to_json: bool
) -> int:
    """Work on the study until it ends or the user stops it, here or in a process without this terminal.

    Returns the exit code.
    """
    path = database_path(storage)
    check_usable(path)
    devices = devices_for(device, workers)
    study = snapshot(path, name)
    check_objective(study.spec)
    if detached and not study.is_used_up:
        options = ["--device", device, "--grace", str(grace), *(("-n", str(workers)) if workers is not None else ())]
        return detach(path, name, options, storage, to_json=to_json)
    out = console(to_json=to_json)
    with LiveView(out) as view:
        host = Host(
            path,
            name,
            devices,
            explicit=workers is not None,
            on_progress=view.show,
            on_note=say_ready(view.note),
            grace_seconds=grace,
        )
        departure = asyncio.run(host.run())
    if departure.reason == "deleted":
        out.print(f"Study {name} was deleted meanwhile.")
        return 1
    study = snapshot(path, name)
    if to_json:
        print_json(result_document(path, study, departure.reason))
    command = f"tunefast study run {name}{storage_flag(storage)}"
    if departure.signal is not None:
        _show_how_to_go_on(out, study, command)
        return INTERRUPTED + departure.signal
    if departure.reason == "paused":
        raise StudyPaused(name=name, problem=departure.error, command=command)
    show_result(out, path, study, departure.reason, storage)
    if departure.error is not None:
        out.print(f"\nThe error:\n{departure.error}", markup=False)
        return 1
    return 0 if study.best is not None else 1


def _show_how_to_go_on(out: Console, study: StudySnapshot, command: str) -> None:
    running = study.num_unfinished
    unfinished = "1 unfinished trial goes" if running == 1 else f"{running} unfinished trials go"
    where = "from the last epoch" if study.trains_with_ours else "from what the training has kept"
    out.print(f"Stopped. {unfinished} on {where}, when you type:", soft_wrap=True)
    out.print(f"  {command}", soft_wrap=True)
