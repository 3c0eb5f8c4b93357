"""What the command line does to studies: through the coordinator where one is at work, else by itself, as the owner."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunefast import errors
from tunefast.errors import CoordinatorLost, TunefastError, UserError
from tunefast.run.channel import Channel
from tunefast.run.messages import Command, Done, Message, Refused
from tunefast.search import importing
from tunefast.search.live import LiveStudy
from tunefast.search.samplers import covering
from tunefast.spec.editing import difference, edited
from tunefast.spec.sections import Budget
from tunefast.spec.study import StudySpec
from tunefast.store import studies
from tunefast.store.clock import utc_now
from tunefast.store.database import Database
from tunefast.store.ownership import StateDirectory
from tunefast.store.plots import write_plots
from tunefast.store.rows import IMPORTED, num_in_budget, read_trials, restate
from tunefast.store.snapshot import StudySnapshot, snapshot


def create_study(path: Path, spec: StudySpec) -> None:
    """Store a new study in the database at `path`, with the points to try first.

    Raises `StudyExists` or `StorageError`, and `UserError` for a name that is taken for something else, and where the
    study that points come from cannot be read.
    """
    studies.check_new_name(spec.study.name)
    points = [found for point in spec.enqueue for found in importing.points_of(point, spec, path)]
    try:
        spec.check_points(points)
    except ValueError as error:
        raise UserError(message=str(error)) from error
    spec = spec.model_copy(update={"enqueue": points})
    _administer(path, Command(verb="create", study=spec.study.name, argument=spec.model_dump(mode="json")))


def extend_study(path: Path, name: str, limits: Budget) -> None:
    """Give the study the limits that `limits` sets. Raises `StudyNotFound` or `StudyNotOurs`."""
    _administer(path, Command(verb="extend", study=name, argument=limits.model_dump(mode="json", exclude_none=True)))


def edit_study(path: Path, name: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Change values of the study's space and budget, by their paths; what changed, and how many trials lie outside now.

    Raises `SpecError` for what cannot change, `StudyNotFound` or `StudyNotOurs`.
    """
    return _administer(path, Command(verb="edit", study=name, argument=dict(changes)))


def confirm_study(path: Path, study: StudySnapshot, spec: StudySpec) -> None:
    """Store `spec` as the confirmation of `study`, or queue those of its points that the confirmation has not.

    Raises `UserError` where the study is gone, or another one has the confirmation's name.
    """
    argument = {"spec": spec.model_dump(mode="json"), "confirmed": study.uuid}
    _administer(path, Command(verb="confirm", study=spec.study.name, argument=argument))


def store_plots(path: Path, name: str, plots: Mapping[str, str]) -> None:
    """Let optuna-dashboard show these Plotly figures of a study, JSON by name, in place of those from before.

    Raises `StudyNotFound` or `StudyNotOurs`.
    """
    _administer(path, Command(verb="plots", study=name, argument=dict(plots)))


def delete_study(path: Path, name: str) -> None:
    """Delete the study with all its trials, and its confirmation.

    Raises `StudyNotFound`, and `UserError` while it is being worked on.
    """
    _administer(path, Command(verb="delete", study=name))


def import_trials(
    path: Path, name: str, url: str, stock: str, spec: StudySpec, renamed: Mapping[str, str]
) -> importing.Found:
    """Bring trials of the stock study `stock` at `url` into the study `name`; returns what fits, and why others do not.

    Raises `UserError` where the study is being worked on, has them already, or the other one cannot be read.
    """
    found = importing.fitting(importing.read_stock(url, stock), spec, renamed)
    state = StateDirectory(path)
    with state.starting():
        if connect(state) is not None:
            raise UserError(message=f"{path} is being worked on; stop its workers first (Ctrl-C)")
        with state.owning():
            known = {trial.user_attrs.get(IMPORTED) for trial in snapshot(path, name).trials}
            if any(trial.user_attrs[IMPORTED] in known for trial in found.trials):
                raise UserError(message=f"study {name!r} has trials of {stock!r} already; nothing was imported")
            importing.add(path, name, found.trials)
            _restate(path, name, spec)
    return found


def _restate(path: Path, name: str, spec: StudySpec) -> None:
    """Let all trials have one distribution a setting, as trials of an edited study have."""
    database = studies.open_database(path)
    try:
        _restate_rows(database, name, spec)
    finally:
        database.close()


def _restate_rows(database: Database, name: str, spec: StudySpec) -> None:
    with database.transaction() as connection:
        restate(connection, name, covering(spec.space, read_trials(connection, name)))


def list_workers(path: Path) -> dict[str, Any]:
    """The coordinator's process id and its workers; none where nobody works on the database, or the last ones leave."""
    for is_last in (False, True):
        channel = connect(StateDirectory(path)) if path.exists() else None
        if channel is None:
            break
        try:
            with channel:
                return asked(channel, Command(verb="workers"), path)
        except (CoordinatorLost, OSError) as error:  # it was about to end, or there is another one now
            if is_last:
                raise CoordinatorLost(storage=path, problem="it ended while it was asked") from error
    return {"coordinator": None, "workers": []}


def is_worked_on(path: Path, study: str) -> bool:
    """Whether there are workers for the study."""
    return any(row["study"] == study for row in list_workers(path)["workers"])


def execute(database: Database, command: Command, live: Mapping[str, LiveStudy]) -> dict[str, Any]:
    """Carry out a command in the process that owns the database; `live` are the studies it is working on."""
    match command.verb:
        case "create":
            studies.create(database, StudySpec.model_validate(command.argument))
        case "extend":
            spec = studies.extend(database, command.study, Budget.model_validate(command.argument))
            if command.study in live:
                live[command.study].change(spec)
        case "edit":
            return _edit(database, command, live.get(command.study))
        case "confirm":
            _confirm(database, command, live.get(command.study))
        case "plots":
            with database.transaction() as connection:
                studies.find(connection, command.study, database.path)
                write_plots(connection, command.study, command.argument)
        case "delete":
            _delete(database, command.study, live)
        case _:
            raise UserError(message=f"unknown command {command.verb!r}")
    return {}


def _edit(database: Database, command: Command, live: LiveStudy | None) -> dict[str, Any]:
    """Change a study's spec; what that changed, with values before and after."""
    name = command.study
    with database.transaction() as connection:
        old = studies.find(connection, name, database.path).spec
        trials = read_trials(connection, name)
    if live is not None:
        live.flush()
        trials = live.storage.all_trials()
    spec = edited(old, command.argument)
    changes = difference(old, spec)
    num_trained = num_in_budget(trials)
    if "budget.trials" in changes and spec.budget.trials is not None and spec.budget.trials < num_trained:
        raise UserError(
            message=f"budget.trials = {spec.budget.trials}: study {name!r} has {num_trained} trials already"
        )
    if changes:
        note = studies.Edit(utc_now().isoformat(timespec="seconds"), len(trials), changes)
        studies.edit(database, name, spec, note, covering(spec.space, trials))
        if live is not None:
            live.change(spec)
    outside = sum(not _inside(trial.params, spec) for trial in trials)
    return {"changes": changes, "outside": outside}


def _confirm(database: Database, command: Command, live: LiveStudy | None) -> None:
    if live is not None:
        live.flush()
    spec = studies.confirm(database, StudySpec.model_validate(command.argument["spec"]), command.argument["confirmed"])
    _restate_rows(database, command.study, spec)
    if live is not None:
        live.reconcile()
        live.change(spec)


def _delete(database: Database, name: str, live: Mapping[str, LiveStudy]) -> None:
    with database.transaction() as connection:
        names = [name, *studies.confirmation_names(connection, name)]
    for each in names:
        if each in live:
            raise UserError(message=f"Study {each!r} is being worked on; stop its workers first (Ctrl-C).")
    for uuid in studies.delete(database, name):
        shutil.rmtree(StateDirectory(database.path).trials(uuid), ignore_errors=True)


def _inside(params: Mapping[str, Any], spec: StudySpec) -> bool:
    return all(path not in spec.space or spec.space[path].contains(value) for path, value in params.items())


def connect(state: StateDirectory) -> Channel | None:
    """A channel to the database's coordinator, or None where there is none."""
    address = state.socket
    try:
        return Channel(address) if address is not None else None
    except (FileNotFoundError, ConnectionRefusedError):
        return None


def _administer(path: Path, command: Command) -> dict[str, Any]:
    studies.check_usable(path)
    state = StateDirectory(path)
    with state.starting():
        channel = connect(state)
        if channel is not None:
            with channel, contextlib.suppress(BrokenPipeError):  # it was about to end, and did nothing
                return asked(channel, command, path)
        with state.owning():
            database = studies.open_database(path)
            try:
                return execute(database, command, {})
            finally:
                database.close()


def asked(channel: Channel, command: Command, path: Path) -> dict[str, Any]:
    """What a coordinator says to a command; raises what it refuses with, and `CoordinatorLost`."""
    channel.send(command)
    answer = channel.receive()
    if isinstance(answer, Done):
        return answer.result
    if isinstance(answer, Refused):
        raise refusal(answer)
    raise CoordinatorLost(storage=path, problem="it ended while it was asked")


def refusal(message: Message) -> TunefastError:
    """The error that a coordinator refused with, as it was raised there."""
    if not isinstance(message, Refused):
        raise TypeError(message.kind)
    kind = getattr(errors, message.error, TunefastError)
    error: TunefastError = kind(message.message)
    return error
