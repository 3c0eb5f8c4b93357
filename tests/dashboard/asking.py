"""Asking a WSGI application, as a browser or a script would."""

from __future__ import annotations

import io
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, NamedTuple
from wsgiref.types import WSGIApplication
from wsgiref.util import setup_testing_defaults

from tunefast.cli.report import pages
from tunefast.dashboard.login import Login
from tunefast.dashboard.pages.app import Pages
from tunefast.dashboard.site import Site
from tunefast.store.reading import ReadingStorage

SITE = Site(8080)
HOST = "127.0.0.1:8080"
ORIGIN = f"http://{HOST}"


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


def ask(app: WSGIApplication, path: str, method: str = "GET", body: bytes = b"", /, **headers: str | None) -> Answer:
    """The answer to a request; `headers` are named as WSGI names them, one that is None is not sent."""
    where, _, query = path.removeprefix(ORIGIN).partition("?")
    environ: dict[str, Any] = {"PATH_INFO": where, "QUERY_STRING": query, "REQUEST_METHOD": method}
    setup_testing_defaults(environ)
    environ |= {"HTTP_HOST": HOST, "HTTP_ACCEPT_ENCODING": "gzip"}
    environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    environ |= headers
    environ = {name: value for name, value in environ.items() if value is not None}
    said: list[Any] = []

    def start(status: str, given: list[tuple[str, str]], _exc_info: Any = None, /) -> Any:
        said.extend((status, given))

    sent = app(environ, start)
    content = b"".join(sent)
    getattr(sent, "close", lambda: None)()
    names = [name for name, _ in said[1]]
    assert len(names) == len({name.lower() for name in names}), names
    return Answer(int(said[0].split()[0]), dict(said[1]), content)


def pages_of(path: Path, storage: ReadingStorage) -> Pages:
    """What tunefast shows of the studies in a database."""
    return Pages(path, storage, pages())


def log_in(app: WSGIApplication, login: Login) -> str:
    """The cookie that a browser has after it opened the link."""
    answer = ask(app, login.link)
    assert answer.status == 303, answer
    ((name, morsel),) = SimpleCookie(answer.headers["Set-Cookie"]).items()
    return f"{name}={morsel.value}"
