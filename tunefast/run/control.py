"""What people want of work that goes on: that it stops, waits, goes on, or takes fewer slots."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tunefast.errors import UserError
from tunefast.run.commands import asked, connect
from tunefast.run.dispatcher import Dispatcher
from tunefast.run.messages import Command, Halt, Quit, Unlend
from tunefast.run.slots import Lent
from tunefast.search.live import LiveStudy
from tunefast.spec.progress import BY_HAND
from tunefast.store.ownership import StateDirectory
from tunefast.store.snapshot import snapshot

Act = Callable[[Dispatcher, Command], dict[str, Any]]


def control(path: Path, command: Command) -> dict[str, Any]:
    """Have the coordinator of the database at `path` carry out one of `VERBS`; what it says.

    Raises `UserError` where there is no such study, or nobody works on it, and what the coordinator refuses with.
    """
    if command.study:
        snapshot(path, command.study)
    channel = connect(StateDirectory(path)) if path.exists() else None
    if channel is None:
        raise _idle(command.study)
    try:
        with channel:
            return asked(channel, command, path)
    except OSError as error:  # it was about to end
        raise _idle(command.study) from error


def _idle(study: str) -> UserError:
    where = f"study {study!r}" if study else "this database"
    return UserError(message=f"nobody works on {where}")


def _live(dispatcher: Dispatcher, command: Command) -> LiveStudy:
    if command.study not in dispatcher.studies:
        raise _idle(command.study)
    return dispatcher.studies[command.study]


def _pause(dispatcher: Dispatcher, command: Command) -> dict[str, Any]:
    study = _live(dispatcher, command)
    dispatcher.account(study)
    study.keep_orders(study.orders._replace(held=True))
    return {"running": len(study.running), "after_epoch": study.spec.trains_with_ours}


def _resume(dispatcher: Dispatcher, command: Command) -> dict[str, Any]:
    study = _live(dispatcher, command)
    dispatcher.account(study)
    was_held = study.held
    study.keep_orders(study.orders._replace(held=False))
    return {"was_paused": was_held}


def _stop(dispatcher: Dispatcher, command: Command) -> dict[str, Any]:
    study = _live(dispatcher, command)
    hosts = [host for host in dispatcher.hosts if host.study == study.name and not host.leaving]
    if not hosts:
        raise UserError(message=f"study {study.name!r} is being stopped already")
    for host in hosts:  # which remember it, whatever becomes of this process
        host.send(Quit())
    return {"processes": [host.pid for host in hosts]}


def _stop_trial(dispatcher: Dispatcher, command: Command) -> dict[str, Any]:
    study, number = _live(dispatcher, command), int(command.argument["trial"])
    trains = study.stop_trial(number)
    for worker in dispatcher.workers:
        lease = worker.lease
        if trains and lease is not None and (lease.study, lease.trial) == (study.name, number):
            worker.send(Halt(trial=number, token=lease.token, reason=BY_HAND))
    return {"was_training": trains, "at_once": study.spec.trains_with_ours or not trains}


def _unlend(dispatcher: Dispatcher, command: Command) -> dict[str, Any]:
    name = str(command.argument["worker"])
    worker = next((worker for worker in dispatcher.workers if worker.name == name and not worker.leaving), None)
    if worker is None:
        known = ", ".join(sorted(worker.name for worker in dispatcher.workers if not worker.leaving)) or "none"
        raise UserError(message=f"there is no worker {json.dumps(name)} at work; there are: {known}")
    host = worker.host
    index = host.names.index(name)
    devices = [*host.lent.devices[:index], *host.lent.devices[index + 1 :]]
    if host.study in dispatcher.studies:
        dispatcher.account(dispatcher.studies[host.study])
    host.lent, host.names = Lent(devices, host.lent.explicit), [*host.names[:index], *host.names[index + 1 :]]
    worker.unlent = True
    host.send(Unlend(worker=name))
    dispatcher.dismiss(host)
    study = dispatcher.studies.get(host.study)
    after_epoch = study is not None and study.spec.trains_with_ours
    return {"trial": worker.lease.trial if worker.lease is not None else None, "after_epoch": after_epoch}


VERBS: Mapping[str, Act] = {
    "pause": _pause,
    "resume": _resume,
    "stop": _stop,
    "stop_trial": _stop_trial,
    "unlend": _unlend,
}
