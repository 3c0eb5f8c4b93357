"""Studies from Python, for notebooks and scripts: what the command line does, as functions."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from tunefast.errors import StudyFailed
from tunefast.run import commands
from tunefast.run.host import Departure, Host
from tunefast.run.prepare import check_objective, located
from tunefast.run.slots import devices_for
from tunefast.spec.progress import Progress
from tunefast.spec.study import StudySpec
from tunefast.store.engine import database_path
from tunefast.store.snapshot import StudySnapshot, snapshot

DEFAULT_STORAGE = "sqlite:///tunefast.db"


def create_study(spec: StudySpec, storage: str = DEFAULT_STORAGE) -> None:
    """Store a new study, without any trial yet.

    Raises `UserError`: where a study of this name exists, its data is missing, or the database cannot be used.
    """
    commands.create_study(database_path(storage), located(spec))


def read_study(name: str, storage: str = DEFAULT_STORAGE) -> StudySnapshot:
    """A read-only copy of a study. Raises `UserError` where there is none."""
    return snapshot(database_path(storage), name)


def run_study(
    name: str,
    storage: str = DEFAULT_STORAGE,
    *,
    workers: int | None = None,
    device: str = "auto",
    on_progress: Callable[[Progress], None] = lambda _progress: None,
) -> StudySnapshot:
    """Work on a study with `workers` processes until it ends; returns the study as it is then.

    Works in a notebook too, where an event loop runs already. Raises `UserError` where there is no such study or
    device, `KeyboardInterrupt` where the user stopped it, and `StudyFailed` where its first trials all failed with the
    same error.
    """
    path = database_path(storage)
    check_objective(snapshot(path, name).spec)
    host = Host(path, name, devices_for(device, workers), explicit=workers is not None, on_progress=on_progress)
    departure = _run(host)
    if departure.signal is not None:
        raise KeyboardInterrupt
    if departure.error is not None:
        raise StudyFailed(message=f"the first trials of {name!r} all failed with the same error:\n{departure.error}")
    return snapshot(path, name)


def _run(host: Host) -> Departure:
    """Run the host, in a thread of its own where this one is busy with an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(host.run())
    results: list[Departure | BaseException] = []

    def target() -> None:
        try:
            results.append(asyncio.run(host.run()))
        except BaseException as error:  # noqa: BLE001  raised again below, in the caller's thread
            results.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    if isinstance(results[0], BaseException):
        raise results[0]
    return results[0]
