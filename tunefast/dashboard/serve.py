"""Serving optuna-dashboard on a database, behind the guard."""

from __future__ import annotations

import importlib
import os
import socket
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple
from wsgiref.types import WSGIApplication

from optuna.storages import BaseStorage

from tunefast.dashboard.guard import Guard, Mount
from tunefast.dashboard.headers import DOWNLOADS, OPEN_FILES, OPTUNA_DASHBOARD, OPTUNA_FILES, PAGES, figures
from tunefast.dashboard.link import linked
from tunefast.dashboard.login import Login
from tunefast.dashboard.pages import html, static
from tunefast.dashboard.pages.app import Pages
from tunefast.dashboard.renaming import whole_renames
from tunefast.dashboard.server import make_server
from tunefast.dashboard.site import Site
from tunefast.store.engine import file_url, reading_engine
from tunefast.store.ownership import StateDirectory
from tunefast.store.reading import ReadingStorage


def mounts(storage: BaseStorage, pages: WSGIApplication) -> dict[str, Mount]:
    """optuna-dashboard on a storage, and tunefast's own `pages` under a prefix of theirs.

    It is optuna-dashboard that stays at the root, since its page asks for absolute addresses.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import optuna_dashboard

        app = linked(whole_renames(optuna_dashboard.wsgi(storage), storage))
    return {
        "/": Mount(app, OPTUNA_DASHBOARD),
        "/static/": Mount(app, OPTUNA_FILES),
        "/artifacts/": Mount(app, DOWNLOADS),
        "/tunefast": Mount(pages, PAGES),
        html.STUDIES: Mount(pages, figures(static.plotly_styles())),
        static.ROOT: Mount(pages, OPEN_FILES),
    }


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


class Database(NamedTuple):
    """What is served."""

    path: Path
    pages: Mapping[str, Path]
    """The files of ``dashboards/`` that each study is shown as, by name, the one that opens first in front."""
    flag: str
    """What commands need to find it."""


def serve(
    database: Database, listener: socket.socket, site: Site, *, allow_edits: bool, ready: Callable[[str, Path], None]
) -> None:
    """Serve the studies in a database until interrupted.

    `ready` is told the login link and the file with the token for scripts: again, when a link was used, with the next.
    Raises `StorageError` where there is no such database.
    """
    with closing(open_storage(database.path, allow_edits=allow_edits)) as storage:
        login = Login(site)
        pages = Pages(database.path, storage, database.pages, database.flag)
        with token_file(database.path, site, login.token) as token:

            def announce() -> None:
                ready(login.link, token)

            served = mounts(storage, pages)
            guard = Guard(served, site, login, allow_edits=allow_edits, home=html.ROOT, on_login=announce)
            server = make_server(guard, listener)
            announce()
            warm_up()
            server.run()


def warm_up() -> threading.Thread:
    """Load what draws figures while nobody looks yet: it takes seconds, of which the first page would be later."""
    modules = ("plotly.graph_objects", "optuna.importance._fanova")
    thread = threading.Thread(target=lambda: [importlib.import_module(name) for name in modules], name="warm-up")
    thread.start()
    return thread


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
