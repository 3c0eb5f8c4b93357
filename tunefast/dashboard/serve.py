"""Serving optuna-dashboard on a database, behind the guard."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from wsgiref.types import WSGIApplication

from optuna.storages import BaseStorage

from tunefast.dashboard.guard import Guard, Mount
from tunefast.dashboard.headers import DOWNLOADS, OPTUNA_DASHBOARD, OPTUNA_FILES
from tunefast.dashboard.login import Login
from tunefast.dashboard.server import make_server
from tunefast.dashboard.site import Site
from tunefast.store.engine import file_url, reading_engine
from tunefast.store.ownership import StateDirectory
from tunefast.store.reading import ReadingStorage


def mounts(storage: BaseStorage) -> dict[str, Mount]:
    """optuna-dashboard on a storage. It stays at the root, since its page asks for absolute addresses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import optuna_dashboard

        app: WSGIApplication = optuna_dashboard.wsgi(storage)
    policies = {"/": OPTUNA_DASHBOARD, "/static/": OPTUNA_FILES, "/artifacts/": DOWNLOADS}
    return {prefix: Mount(app, policy) for prefix, policy in policies.items()}


def open_storage(path: Path, *, allow_edits: bool) -> ReadingStorage:
    """The studies in the database at `path`, which cannot be changed through it unless edits are allowed.

    Raises `StorageError` where there is no such database.
    """
    if not allow_edits:
        return ReadingStorage(path)
    from optuna.storages import RDBStorage

    reading_engine(path).dispose()  # Optuna would make a file that is missing
    url = file_url(path).render_as_string()
    return ReadingStorage(path, RDBStorage(url, skip_compatibility_check=True, skip_table_creation=True))


def serve(
    path: Path, listener: socket.socket, site: Site, *, allow_edits: bool, ready: Callable[[str, Path], None]
) -> None:
    """Serve the studies in the database at `path` until interrupted.

    `ready` is told the login link and the file with the token for scripts: again, when a link was used, with the next.
    Raises `StorageError` where there is no such database.
    """
    with closing(open_storage(path, allow_edits=allow_edits)) as storage:
        login = Login(site)
        with token_file(path, site, login.token) as token:

            def announce() -> None:
                ready(login.link, token)

            guard = Guard(mounts(storage), site, login, allow_edits=allow_edits, on_login=announce)
            server = make_server(guard, listener)
            announce()
            server.run()


@contextmanager
def token_file(database: Path, site: Site, token: str) -> Iterator[Path]:
    """A file with the token, beside the database, that only its owner can read; gone when the block is left."""
    path = StateDirectory(database).path.absolute() / f"dashboard-{site.port}.token"
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(token)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
