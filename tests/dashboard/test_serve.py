"""optuna-dashboard on a database: two locks, each of which alone keeps a browser from changing a study."""

from __future__ import annotations

import json
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest

from tests.dashboard.asking import ORIGIN, SITE, Answer, ask, pages_of
from tests.dashboard.test_guard import check_headers
from tests.store.databases import OPTUNA_TABLES, rows
from tunefast.dashboard.guard import MAX_BODY_BYTES, Guard
from tunefast.dashboard.login import Login
from tunefast.dashboard.serve import mounts, open_storage, token_file, warm_up
from tunefast.dashboard.server import bind, make_server
from tunefast.dashboard.site import Site
from tunefast.errors import UserError

CHANGES: list[tuple[str, str, object]] = [
    ("POST", "/api/studies", {"study_name": "new", "directions": ["minimize"]}),
    ("POST", "/api/studies/1/rename", {"study_name": "renamed"}),
    ("PUT", "/api/studies/1/note", {"version": 2, "body": "seen"}),  # in place of the one that says how to go on
    ("PUT", "/api/studies/1/1/note", {"version": 1, "body": "seen"}),
    ("POST", "/api/trials/2/tell", {"state": "Fail"}),
    ("POST", "/api/trials/2/user-attrs", {"user_attrs": {"seen": 1}}),
    ("DELETE", "/api/studies/1", {}),
]


def test_what_draws_figures_is_loaded_ahead() -> None:
    """Before anybody asks for a page."""
    warm_up().join()
    assert {"plotly.graph_objects", "sklearn.ensemble"} <= sys.modules.keys()


def changed(app: WSGIApplication, login: Login, method: str, path: str, body: object) -> Answer:
    """The answer to a change that somebody asks for who may."""
    headers = {"CONTENT_TYPE": "application/json", "HTTP_ORIGIN": ORIGIN}
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {login.token}"}
    return ask(app, path, method, json.dumps(body).encode(), **headers, **bearer)


@pytest.mark.parametrize(("method", "where", "body"), CHANGES, ids=[f"{change[0]} {change[1]}" for change in CHANGES])
def test_with_both_locks_open_it_changes(path: Path, method: str, where: str, body: object) -> None:
    """With --allow-edits each of these does change the database: the two tests below would notice."""
    before, login = rows(path, *OPTUNA_TABLES), Login(SITE)
    with closing(open_storage(path, allow_edits=True)) as storage:
        answer = changed(
            Guard(mounts(storage, pages_of(path, storage)), SITE, login, allow_edits=True), login, method, where, body
        )
        assert answer.status < 400, answer
    assert rows(path, *OPTUNA_TABLES) != before


@pytest.mark.parametrize(("method", "where", "body"), CHANGES, ids=[f"{change[0]} {change[1]}" for change in CHANGES])
def test_the_guard_alone_keeps_it_from_changing(path: Path, method: str, where: str, body: object) -> None:
    """Before a database that could be written: 405, and the rows stay as they are."""
    before, login = rows(path, *OPTUNA_TABLES), Login(SITE)
    with closing(open_storage(path, allow_edits=True)) as storage:
        answer = changed(Guard(mounts(storage, pages_of(path, storage)), SITE, login), login, method, where, body)
        assert answer.status == 405
    assert rows(path, *OPTUNA_TABLES) == before


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize(("method", "where", "body"), CHANGES, ids=[f"{change[0]} {change[1]}" for change in CHANGES])
def test_the_database_alone_keeps_it_from_changing(path: Path, method: str, where: str, body: object) -> None:
    """Behind a guard that lets changes through: an error, and the rows stay as they are."""
    before, login = rows(path, *OPTUNA_TABLES), Login(SITE)
    with closing(open_storage(path, allow_edits=False)) as storage:
        answer = changed(
            Guard(mounts(storage, pages_of(path, storage)), SITE, login, allow_edits=True), login, method, where, body
        )
        assert answer.status >= 400
        check_headers(answer)
    assert rows(path, *OPTUNA_TABLES) == before


def test_addresses_hold_behind_a_proxy(path: Path) -> None:
    """optuna-dashboard leads to its page under the name and by the protocol that the browser used."""
    site = Site(8080, proxy="https://tune.example")
    login = Login(site)
    with closing(open_storage(path, allow_edits=False)) as storage:
        bearer = {"HTTP_HOST": "tune.example", "HTTP_AUTHORIZATION": f"Bearer {login.token}"}
        answer = ask(Guard(mounts(storage, pages_of(path, storage)), site, login), "/", **bearer)
    assert (answer.status, answer.headers["Location"]) == (302, "https://tune.example/dashboard")


def test_the_token_is_for_its_owner(path: Path) -> None:
    """The file has mode 600, replaces what stood there, follows no link, and goes when the dashboard does."""
    elsewhere = path.with_name("elsewhere")
    with token_file(path, SITE, "first") as token:
        assert stat.S_IMODE(token.stat().st_mode) == 0o600
        assert token.read_text() == "first"
    assert not token.exists()
    token.symlink_to(elsewhere)
    with token_file(path, SITE, "second") as token:
        assert token.read_text() == "second"
    assert not elsewhere.exists()


def _failing(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    if environ["PATH_INFO"] == "/fails":
        raise ValueError("a secret of ours")
    start_response("200 OK", [])
    return [b"ok"]


@contextmanager
def serving(app: WSGIApplication) -> Iterator[int]:
    """Waitress in a thread; the port."""
    listener = bind(0)
    server = make_server(app, listener)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.trigger.pull_trigger(server.close)
        thread.join()
        server.task_dispatcher.shutdown()


@pytest.mark.parametrize(
    ("method", "where", "headers", "status"),
    [
        ("GET", "/fails", {}, 500),
        ("POST", "/", {"Content-Length": str(MAX_BODY_BYTES + 1)}, 413),
        ("GET", "/", {"Content-Length": "none"}, 400),
        ("GET", "/", {"X": "x" * 300_000}, 431),
    ],
)
def test_what_the_server_answers_itself_is_dressed_too(
    method: str, where: str, headers: dict[str, str], status: int
) -> None:
    """An application that fails, a body that is too large, what is no request: those headers, no traceback."""
    with serving(_failing) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        connection.putrequest(method, where, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        answer = Answer(response.status, dict(response.getheaders()), response.read())
        connection.close()
    assert answer.status == status
    check_headers(answer)
    assert b"secret" not in answer.body


def test_an_address_of_another_machine_is_refused() -> None:
    """TEST-NET-1 belongs to nobody."""
    with pytest.raises(UserError, match=r"--listen 192\.0\.2\.1: cannot listen there"):
        bind(0, "192.0.2.1")


def test_a_taken_port_of_another_address_is_not_replaced() -> None:
    """The proxy looks for it there and nowhere else."""
    with closing(bind(0, "127.0.0.1")) as taken, pytest.raises(UserError, match="cannot listen there at port"):
        bind(taken.getsockname()[1], "127.0.0.1")
