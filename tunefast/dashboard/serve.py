"""Serving optuna-dashboard on a database, which it can read and not write."""

from __future__ import annotations

import errno
import socket
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tunefast.store.engine import read_only_url, reading_engine

HOST = "127.0.0.1"


def bind(port: int) -> socket.socket:
    """A listening socket on loopback: at `port`, or at a free one where that is taken."""
    for candidate in (port, 0):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, candidate))
            listener.listen()
        except OSError as error:
            listener.close()
            if candidate == 0 or error.errno != errno.EADDRINUSE:
                raise
        else:
            return listener
    raise OSError(errno.EADDRINUSE, "no port is free")


def _reading(app: Any) -> Any:
    """The WSGI application `app` without the requests that would change something: the database would refuse them."""

    def guarded(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return app(environ, start_response)
        start_response("405 Method Not Allowed", [("Content-Type", "application/json"), ("Allow", "GET, HEAD")])
        return [b'{"reason": "this dashboard only reads"}']

    return guarded


def serve(path: Path, listener: socket.socket, ready: Callable[[str], None]) -> None:
    """Serve the studies in the database at `path` until interrupted; `ready` is told the address.

    Raises `StorageError` where there is no such database.
    """
    reading_engine(path).dispose()
    import optuna_dashboard
    from optuna.storages import RDBStorage
    from waitress.server import create_server

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        storage = RDBStorage(read_only_url(path), skip_compatibility_check=True, skip_table_creation=True)
        server = create_server(_reading(optuna_dashboard.wsgi(storage)), sockets=[listener], threads=4)
    ready(f"http://{HOST}:{listener.getsockname()[1]}/dashboard/")
    server.run()
