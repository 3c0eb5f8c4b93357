"""The link from optuna-dashboard's pages to tunefast's, added to the one HTML file that all of them begin as."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from tunefast.dashboard.headers import ExcInfo, Headers
from tunefast.dashboard.pages.html import ROOT
from tunefast.dashboard.pages.static import address

WHERE = "/dashboard"
PLACE = b"</body>"


def markup() -> bytes:
    """What is added. It stands beside the element that optuna-dashboard's script fills, which does not touch it."""
    parts = [
        f'<link rel="stylesheet" href="{address("link.css")}">',
        f'<a id="tunefast-link" href="{ROOT}">tunefast</a>',
        f'<script defer src="{address("link.js")}"></script>',
    ]
    return "".join(parts).encode()


def linked(app: WSGIApplication) -> WSGIApplication:
    """optuna-dashboard, whose pages lead to tunefast's; a page in which there is no place for it stays as it is."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not environ.get("PATH_INFO", "").startswith(WHERE):
            return app(environ, start_response)
        said: list[tuple[str, Headers, ExcInfo | None]] = []

        def start(status: str, headers: Headers, exc_info: ExcInfo | None = None, /) -> Any:
            said[:] = [(status, headers, exc_info)]

        sent = app(environ, start)
        try:
            body = b"".join(sent)
        finally:
            getattr(sent, "close", lambda: None)()
        status, headers, exc_info = said[0]
        if environ["REQUEST_METHOD"] != "HEAD" and status.startswith("200"):
            body = body.replace(PLACE, markup() + PLACE)
            headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
            headers.append(("Content-Length", str(len(body))))
        start_response(status, headers, exc_info) if exc_info else start_response(status, headers)
        return [body]

    return answer
