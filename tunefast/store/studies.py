"""Creating, finding, changing and deleting studies. Called by whoever owns the database."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from optuna.distributions import BaseDistribution
from sqlalchemy.engine import Connection

from tunefast.errors import StorageError, StudyExists, StudyNotFound, StudyNotOurs, UserError, nearest
from tunefast.shell import command
from tunefast.spec.points import FromStudy
from tunefast.spec.sections import Budget
from tunefast.spec.study import StudySpec
from tunefast.store import rows, tables
from tunefast.store.database import Database
from tunefast.store.engine import checked, reading_engine
from tunefast.store.filesystem import network_filesystem
from tunefast.store.note import write_note
from tunefast.store.rows import insert_study, insert_waiting, study_uuids
from tunefast.store.schema import check_schema, create_file, create_schema

EDITS_ATTRIBUTE = "tunefast:edits"
"""User attribute of the Optuna study that holds how its spec was changed."""
CONFIRMS_ATTRIBUTE = "tunefast:confirms"
"""User attribute of the Optuna study of a confirmation: the uuid of the study whose best trials it trains again."""
CONFIRMATION = ".confirm"
"""What a confirmation is called after its study's name."""


def check_new_name(name: str) -> None:
    """Raise `UserError` for a name that no new study of the user's can have; one that has it already goes on."""
    if name.endswith(CONFIRMATION):
        problem = f"names that end in {CONFIRMATION} are those of confirmations; give it another one"
    elif name.startswith("-"):
        problem = "a command would take it for an option; let it begin with another sign"
    else:
        return
    raise UserError(message=f"study name {name!r}: {problem}")


class Orders(NamedTuple):
    """What people want of those who work on a study; outlives its coordinator, and is void for who begins anew."""

    held: bool = False
    """Whether it is to wait."""
    stopped: tuple[int, ...] = ()
    """Trials that are to end."""


class StoredStudy(NamedTuple):
    """A study as tunefast keeps it."""

    uuid: str
    spec: StudySpec
    active_seconds: float
    slot_seconds: float | None = None
    """Seconds that slots were lent to it, summed over the slots; None where an earlier tunefast did not count them."""
    orders: Orders = Orders()


def check_usable(path: Path) -> None:
    """Raise `StorageError` where `path` can be no database of ours, before we write anything there or beside it."""
    if not path.parent.is_dir():
        raise StorageError(storage=path, problem=f"there is no directory {path.parent}")
    if path.is_dir():
        raise StorageError(storage=path, problem="is a directory")
    network = network_filesystem(path.resolve())
    if network is not None:
        problem = (
            f"lies on a network file system ({network}), where its locks cannot be relied on; keep it on a disk of "
            "this machine: --storage sqlite:////PATH/ON/THIS/MACHINE/tunefast.db"
        )
        raise StorageError(storage=path, problem=problem)
    for place in (path.parent, path):
        if place.exists() and not os.access(place, os.W_OK):
            raise StorageError(storage=path, problem=f"{place} cannot be written")
    if path.exists() and path.stat().st_size:
        engine = reading_engine(path)
        with checked(path), engine.connect() as connection:
            check_schema(connection, path)


def open_database(path: Path) -> Database:
    """Open the database at `path` for its owner, making the file and the tables where they are missing.

    Raises `StorageError` as `check_usable` does.
    """
    check_usable(path)
    if not path.exists() or not path.stat().st_size:
        create_file(path)
    database = Database(path)
    prepare(database)
    return database


def prepare(database: Database) -> None:
    """Make the tables where they are missing, and sweep what deleted studies left behind.

    Raises `StorageError` for a database of another program or another schema, which stays as it is.
    """
    with database.transaction() as connection:
        has_tables = check_schema(connection, database.path)
    if not has_tables:
        create_schema(database)
    with database.transaction() as connection:
        tables.create(connection)
        tables.sweep(connection, [uuid for uuid in study_uuids(connection).values() if uuid is not None])


def create(database: Database, spec: StudySpec) -> None:
    """Store a new study. Raises `StudyExists`."""
    with database.transaction() as connection:
        if spec.study.name in study_uuids(connection):
            again = command("study", "run", spec.study.name, storage=database.path)
            raise StudyExists(name=spec.study.name, storage=database.path, command=again)
        _insert(connection, spec)


def _insert(connection: Connection, spec: StudySpec) -> None:
    name, study_uuid = spec.study.name, str(uuid.uuid4())
    insert_study(connection, name, study_uuid, dict(zip(spec.study.metrics, spec.study.maximizes, strict=True)))
    insert_waiting(connection, name, [point for point in spec.enqueue if not isinstance(point, FromStudy)])
    queued = spec.model_copy(update={"enqueue": []})  # its points wait as trials now
    row = {"uuid": study_uuid, "spec": queued.model_dump(mode="json"), "active_seconds": 0.0, "slot_seconds": 0.0}
    connection.execute(sa.insert(tables.studies).values(row))
    write_note(connection, name, queued)


def _not_ours(name: str, storage: Path) -> StudyNotOurs:
    create = command("study", "create", "FILE", storage=storage)
    source = ("study", "import", f"sqlite:///{storage}", "--study", name)
    return StudyNotOurs(
        name=name, storage=storage, create=create, command=command(*source, "--into", "ANOTHER", storage=storage)
    )


def find(connection: Connection, name: str, storage: Path) -> StoredStudy:
    """The study called `name`. Raises `StudyNotFound`, naming the nearest, and `StudyNotOurs`."""
    known = study_uuids(connection)
    if name not in known:
        raise StudyNotFound(name=name, storage=storage, hint=nearest(name, known))
    has_ours = tables.studies.name in sa.inspect(connection).get_table_names()
    present = tables.columns(connection, tables.studies) if has_ours else set()
    columns = [column for column in tables.studies.columns if column.name in present]
    wanted = sa.select(*columns).where(tables.studies.c.uuid == known[name])
    row = connection.execute(wanted).one_or_none() if has_ours else None
    spec = StudySpec.model_validate(row.spec) if row is not None else None
    if row is None or spec is None or (spec.study.name != name and known.get(spec.study.name) == row.uuid):
        raise _not_ours(name, storage)  # or a copy, which has taken the uuid along
    spec = spec.model_copy(update={"study": spec.study.model_copy(update={"name": name})})
    orders = getattr(row, "orders", None) or {}
    known_orders = Orders(orders.get("held", False), tuple(orders.get("stopped", ())))
    return StoredStudy(row.uuid, spec, row.active_seconds, getattr(row, "slot_seconds", None), known_orders)


def keep_orders(database: Database, study_uuid: str, orders: Orders) -> None:
    """Have what people want of a study on disk, in place of what they wanted before."""
    changed = sa.update(tables.studies).where(tables.studies.c.uuid == study_uuid)
    with database.transaction() as connection:
        connection.execute(changed.values(orders=None if orders == Orders() else orders._asdict()))


def extend(database: Database, name: str, budget: Budget) -> StudySpec:
    """Give the study the limits that `budget` sets, in place of its own; returns the new spec."""
    with database.transaction() as connection:
        stored = find(connection, name, database.path)
        changes = budget.model_dump(exclude_none=True)
        spec = stored.spec.model_copy(update={"budget": stored.spec.budget.model_copy(update=changes)})
        _store_spec(connection, stored, spec)
    return spec


def confirm(database: Database, spec: StudySpec, confirmed: str) -> StudySpec:
    """Store the confirmation of the study of uuid `confirmed`, or let it train what is asked for in `spec` too.

    Its space becomes that of `spec`, of whose points those are queued that it has not; returns its spec. Raises
    `UserError` where that study is gone, or another one has the confirmation's name.
    """
    name = spec.study.name
    with database.transaction() as connection:
        known = study_uuids(connection)
        if confirmed not in known.values():
            raise UserError(message=f"study {name.removesuffix(CONFIRMATION)!r} was deleted meanwhile")
        if name not in known:
            _insert(connection, spec)
            rows.set_study_attribute(connection, name, CONFIRMS_ATTRIBUTE, confirmed)
            return spec
        _check_confirms(connection, name, confirmed, database.path)
        stored, trials = find(connection, name, database.path), rows.read_trials(connection, name)
        missing = [point for point in spec.enqueue if point not in [rows.settings_of(trial) for trial in trials]]
        insert_waiting(connection, name, [point for point in missing if not isinstance(point, FromStudy)])
        budget = stored.spec.budget.model_copy(update={"trials": rows.num_in_budget(trials) + len(missing)})
        changed = stored.spec.model_copy(update={"budget": budget, "space": spec.space})
        _store_spec(connection, stored, changed)
    return changed


def _check_confirms(connection: Connection, name: str, confirmed: str, storage: Path) -> None:
    """Raise `UserError` for a study that is no confirmation of the study of uuid `confirmed`."""
    other = rows.study_attribute(connection, name, CONFIRMS_ATTRIBUTE)
    if other == confirmed:
        return
    what = "is no confirmation" if other is None else "confirms an earlier study of that name, which was deleted"
    raise UserError(
        message=f"study {name!r} in {storage} {what}; it is in the way: "
        f"{command('study', 'delete', name, storage=storage)} makes room"
    )


class Edit(NamedTuple):
    """A change of a study's spec."""

    at: str
    """When, ISO 8601, UTC."""
    trials: int
    """That there were."""
    changes: dict[str, tuple[Any, Any]]
    """Path -> value before and after."""


def edit(
    database: Database, name: str, spec: StudySpec, note: Edit, distributions: Mapping[str, BaseDistribution]
) -> None:
    """Give the study another spec, and its trials' settings the `distributions` that go with it; the edit is noted."""
    with database.transaction() as connection:
        stored = find(connection, name, database.path)
        _store_spec(connection, stored, spec)
        rows.restate(connection, name, distributions)
        earlier = rows.study_attribute(connection, name, EDITS_ATTRIBUTE) or []
        rows.set_study_attribute(connection, name, EDITS_ATTRIBUTE, [*earlier, note._asdict()])


def edits(connection: Connection, name: str) -> list[Edit]:
    """How the study's spec was changed, in order."""
    return [Edit(**note) for note in rows.study_attribute(connection, name, EDITS_ATTRIBUTE) or []]


def _store_spec(connection: Connection, stored: StoredStudy, spec: StudySpec) -> None:
    changed = sa.update(tables.studies).where(tables.studies.c.uuid == stored.uuid)
    connection.execute(changed.values(spec=spec.model_dump(mode="json")))
    write_note(connection, spec.study.name, spec, stored.spec)


def delete(database: Database, name: str) -> list[str]:
    """Delete the study with all its trials, and its confirmation; returns the uuids of what was ours.

    Raises `StudyNotFound`.
    """
    with database.transaction() as connection:
        known = study_uuids(connection)
        if name not in known:
            raise StudyNotFound(name=name, storage=database.path, hint=nearest(name, known))
        gone = {name, *confirmation_names(connection, name)}
        for each in gone:
            _delete_rows(connection, each)
        tables.sweep(connection, [uuid for other, uuid in known.items() if other not in gone and uuid is not None])
    return [uuid for each in gone if (uuid := known[each]) is not None]


def confirmation_names(connection: Connection, name: str) -> list[str]:
    """The name of a study's confirmation, if it has one."""
    confirmed = study_uuids(connection).get(name)
    its_name = f"{name}{CONFIRMATION}"
    there = confirmed is not None and rows.study_attribute(connection, its_name, CONFIRMS_ATTRIBUTE) == confirmed
    return [its_name] if there else []


def _delete_rows(connection: Connection, name: str) -> None:
    """Delete an Optuna study with everything that hangs on it."""
    study = sa.select(rows.STUDIES.c.study_id).where(rows.STUDIES.c.study_name == name).scalar_subquery()
    trial_ids = sa.select(rows.TRIALS.c.trial_id).where(rows.TRIALS.c.study_id == study)
    for table in (*rows.TRIAL_TABLES, rows.HEARTBEATS):
        connection.execute(sa.delete(table).where(table.c.trial_id.in_(trial_ids)))
    for table in (rows.TRIALS, rows.DIRECTIONS, rows.STUDY_ATTRS, rows.STUDY_SYSTEM_ATTRS):
        connection.execute(sa.delete(table).where(table.c.study_id == study))
    connection.execute(sa.delete(rows.STUDIES).where(rows.STUDIES.c.study_name == name))
