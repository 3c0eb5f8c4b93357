"""The link from optuna-dashboard's pages to tunefast's."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import optuna_dashboard

from tests.dashboard.asking import ask
from tunefast.dashboard.link import linked, markup
from tunefast.store.reading import ReadingStorage


def test_every_page_of_optuna_dashboard_has_it(path: Path) -> None:
    """It stands behind the element that optuna-dashboard's script fills; what is no page is sent as it is."""
    with closing(ReadingStorage(path)) as storage:
        stock = optuna_dashboard.wsgi(storage)
        app = linked(stock)
        for where in ("/dashboard", "/dashboard/studies/1", "/dashboard/studies/1/note"):
            answer, plain = ask(app, where), ask(stock, where)
            assert answer.body == plain.body.replace(b"</body>", markup() + b"</body>")
            assert int(answer.headers["Content-Length"]) == len(answer.body) > len(plain.body)
            assert ask(app, where, "HEAD").status == 200
        for where in ("/api/studies", "/static/bundle.js", "/dashboardx"):
            assert ask(app, where) == ask(stock, where)


def test_a_page_without_a_place_for_it_stays_as_it_is() -> None:
    """Another optuna-dashboard may look otherwise: then the link is missing, and nothing else."""

    def other(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "5")])
        return [b"hello"]

    assert ask(linked(other), "/dashboard").body == b"hello"
