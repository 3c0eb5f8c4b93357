"""Studies from Python, for notebooks and scripts: what the command line does, as functions."""

from __future__ import annotations

import asyncio
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tunefast.dashboard.stored import leave_figures
from tunefast.errors import StudyFailed
from tunefast.notebook.study import Study
from tunefast.run import commands
from tunefast.run.host import Departure, Host
from tunefast.run.prepare import check_objective, located
from tunefast.run.slots import devices_for
from tunefast.run.specs import ensure_study, optuna_page
from tunefast.shell import DEFAULT_STORAGE
from tunefast.spec.progress import Progress
from tunefast.spec.study import StudySpec
from tunefast.store.engine import database_path
from tunefast.store.snapshot import StudySnapshot, snapshot

_OF_CALLER = 3
"""Frames from a warning to who called ``tunefast.run``."""


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
    on_note: Callable[[str], None] = lambda _note: None,
) -> StudySnapshot:
    """Work on a study with `workers` processes until it ends; returns the study as it is then.

    `on_progress` hears where the study stands, `on_note` what people should know, such as that a worker was replaced.
    Works in a notebook too, where an event loop runs already. Raises `UserError` where there is no such study or
    device, `KeyboardInterrupt` where the user stopped it, and `StudyFailed` where its first trials all failed with the
    same error.
    """
    path = database_path(storage)
    check_objective(snapshot(path, name).spec)
    devices = devices_for(device, workers)
    host = Host(path, name, devices, explicit=workers is not None, on_progress=on_progress, on_note=on_note)
    departure = _run(host)
    if departure.signal is not None or departure.taken_back:
        raise KeyboardInterrupt
    leave_figures(path, {name}, optuna_page(), on_note)
    if departure.error is not None:
        raise StudyFailed(message=f"the first trials of {name!r} all failed with the same error:\n{departure.error}")
    return snapshot(path, name)


def open(name: str, storage: str = DEFAULT_STORAGE) -> Study:  # noqa: A001  as ``tunefast.open``
    """A study as an object that shows itself in a notebook. Raises `UserError` where there is none."""
    study = Study(name, storage)
    _ = study.snapshot
    return study


def run(
    spec: StudySpec | Mapping[str, Any] | Path | str,
    *,
    workers: int | None = None,
    device: str = "auto",
    storage: str = DEFAULT_STORAGE,
) -> Study:
    """Work on a study with a progress bar until it ends; what was begun before goes on.

    `spec` is a spec, its plain data, the path of its file, the name of a study in the database, or of one that ships.
    A study of that name that is there already must have the same spec; its stored budget counts, and a warning says
    where that differs. Works in a notebook too. Ctrl-C, or stopping the cell, lets trials end their epoch: the same
    call goes on. Raises what `create_study` and `run_study` raise.
    """
    from tunefast.notebook.bar import Bar  # which the command line does without

    study = ensure_study(database_path(storage), spec)
    if study.budget:
        warnings.warn(f"the stored budget counts ({'; '.join(study.budget)})", stacklevel=_OF_CALLER)
    with Bar() as bar:
        run_study(study.name, storage, workers=workers, device=device, on_progress=bar.show, on_note=bar.note)
    return Study(study.name, storage)


def _run(host: Host) -> Departure:
    """Run the host, in a thread of its own where this one is busy with an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(host.run())
    return _run_beside(host)


def _run_beside(host: Host) -> Departure:
    """Run the host in another thread. Progress is shown in this one, which is also the one that Ctrl-C interrupts."""
    calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
    show, note = host.on_progress, host.on_note
    host.on_progress = lambda progress: calls.put(lambda: show(progress))
    host.on_note = lambda text: calls.put(lambda: note(text))
    with _interruptible(), ThreadPoolExecutor(1) as threads:
        ended = threads.submit(lambda: asyncio.run(host.run()))
        ended.add_done_callback(lambda _ended: calls.put(lambda: None))
        while not ended.done():
            try:
                calls.get()()
            except KeyboardInterrupt:
                host.interrupt()
            except BaseException:
                host.interrupt()
                raise
        return ended.result()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C raise `KeyboardInterrupt` here, and not wait for the loop of this thread, which waits meanwhile."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
