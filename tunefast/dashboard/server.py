"""waitress: where the dashboard listens, and what it answers to requests that no application ever sees."""

from __future__ import annotations

import errno
import socket
from typing import Any
from wsgiref.types import WSGIApplication

from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ErrorTask

from tunefast.dashboard.guard import MAX_BODY_BYTES
from tunefast.dashboard.headers import PAGES
from tunefast.dashboard.site import LOOPBACK
from tunefast.errors import UserError

NUM_THREADS = 4


def bind(port: int, listen: str | None = None) -> socket.socket:
    """A listening socket: on loopback at `port`, or at a free one where that is taken; or at `listen`, there only.

    Raises `UserError` where `listen` is no address of this machine, or its port is taken.
    """
    if listen is None:
        try:
            return _bound(socket.AF_INET, (LOOPBACK, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return _bound(socket.AF_INET, (LOOPBACK, 0))
    try:
        family, _, _, _, address = socket.getaddrinfo(listen, port, type=socket.SOCK_STREAM)[0]
        return _bound(family, address)
    except OSError as error:
        raise UserError(f"--listen {listen}: cannot listen there at port {port} ({error.strerror or error})") from error


def make_server(app: WSGIApplication, listener: socket.socket) -> Any:
    """A waitress server of `app`: ``run()`` serves until interrupted."""
    server = create_server(
        app, sockets=[listener], threads=NUM_THREADS, max_request_body_size=MAX_BODY_BYTES, ident=None
    )
    server.channel_class = _Channel
    return server


def _bound(family: int, address: Any) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


class _OwnAnswer(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """What waitress answers by itself, to a request that is none or too large, or when an application fails."""

    def build_response_header(self) -> bytes:
        self.response_headers[:] = PAGES.headers(self.response_headers)
        return bytes(super().build_response_header())


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    error_task_class = _OwnAnswer
