"""Whether a database has the tables of this very Optuna, and making them where there are none."""

from __future__ import annotations

import sqlalchemy as sa
from optuna.storages import RDBStorage
from sqlalchemy.engine import Connection

from tunefast.errors import StorageError
from tunefast.store.database import Database
from tunefast.store.trials import STUDIES


def check_schema(connection: Connection) -> None:
    """Refuse a database of another Optuna schema before anything in it changes. Raises `StorageError`."""
    tables = set(sa.inspect(connection).get_table_names())
    if not tables:
        return
    storage = connection.engine.url.database
    if "alembic_version" not in tables or STUDIES.name not in tables:
        raise StorageError(storage=storage, problem="is a database of another program; give tunefast a file of its own")
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    wanted = RDBStorage("sqlite://").get_head_version()
    if found != wanted:
        problem = (
            f"has Optuna's schema {found}, and this Optuna wants {wanted}. Make a copy of the file, upgrade the copy "
            "(optuna storage upgrade --storage sqlite:///COPY.db), and use it in place of the old one"
        )
        raise StorageError(storage=storage, problem=problem)


def create_schema(database: Database) -> None:
    """Create Optuna's tables where they are missing."""
    storage = RDBStorage(f"sqlite:///{database.path}")
    storage.engine.dispose()
