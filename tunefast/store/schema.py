"""Whether a database has the tables of this very Optuna, and making them where there are none."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import sqlalchemy as sa
from optuna.storages import RDBStorage
from sqlalchemy.engine import Connection

from tunefast.errors import StorageError
from tunefast.store.database import Database
from tunefast.store.engine import checked, file_url, reading_engine
from tunefast.store.rows import STUDIES

KNOWN = {"5.0.0": "v3.2.0.a"}
"""Schemas by the versions of Optuna that use them."""


def check_schema(connection: Connection, path: Path) -> bool:
    """Refuse a database, at `path`, of another Optuna schema before anything in it changes.

    Returns whether it has tables. Raises `StorageError`.
    """
    if not _is_optunas(connection, path):
        return False
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    wanted = _wanted_schema()
    if found != wanted:
        problem = (
            f"has Optuna's schema {found}, and this Optuna wants {wanted}. Make a copy of the file, upgrade the copy "
            "(optuna storage upgrade --storage sqlite:///COPY.db), and use it in place of the old one"
        )
        raise StorageError(storage=path, problem=problem)
    return True


def _is_optunas(connection: Connection, path: Path) -> bool:
    """Whether the database has tables. Raises `StorageError` where they are another program's."""
    tables = set(sa.inspect(connection).get_table_names())
    if tables and not tables >= {"alembic_version", STUDIES.name}:
        raise StorageError(storage=path, problem="is a database of another program; give tunefast a file of its own")
    return bool(tables)


@contextmanager
def reading(path: Path) -> Iterator[Connection]:
    """A connection that cannot change the database at `path`; all that it reads is of one moment.

    Raises `StorageError` where there is none, or it is another program's; another Optuna's is read as it is.
    """
    engine = reading_engine(path)
    with checked(path), engine.connect() as connection:
        _is_optunas(connection, path)
        yield connection


@functools.cache
def _wanted_schema() -> str:
    """The schema of the Optuna that is installed; one that is not known here is asked, which takes a third of a second.

    Asking makes a database in memory.
    """
    if optuna.__version__ in KNOWN:
        return KNOWN[optuna.__version__]
    version: str = RDBStorage("sqlite://").get_head_version()
    return version


def create_schema(database: Database) -> None:
    """Create Optuna's tables."""
    _create_tables(database.path)


def create_file(path: Path) -> None:
    """Create the database file with Optuna's tables, whole or not at all: nobody ever sees a half-made one."""
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f"{path.name}.") as folder:
            new = Path(folder) / "new.db"
            _create_tables(new)
            for rest in ("-wal", "-shm", "-journal"):  # of a file that was there before: SQLite would replay it
                path.with_name(path.name + rest).unlink(missing_ok=True)
            new.replace(path)
    except OSError as error:
        raise StorageError(storage=path, problem=f"cannot be written ({error.strerror or error})") from error


def _create_tables(path: Path) -> None:
    url = file_url(path).render_as_string().replace("{", "{{").replace("}", "}}")
    RDBStorage(url).engine.dispose()
