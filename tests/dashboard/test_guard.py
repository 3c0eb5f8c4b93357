"""The guard, over every route that optuna-dashboard has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import optuna_dashboard
import pytest
from optuna.storages import InMemoryStorage

from tests.dashboard.asking import HOST, ORIGIN, SITE, Answer, ask, log_in, pages_of
from tunefast.dashboard.guard import MAX_BODY_BYTES, Guard, Mount
from tunefast.dashboard.headers import DOWNLOADS, OPEN_FILES, OPTUNA_DASHBOARD, OPTUNA_FILES, PAGES, figures
from tunefast.dashboard.login import Login
from tunefast.dashboard.pages import static
from tunefast.dashboard.serve import mounts
from tunefast.store.reading import ReadingStorage

EXAMPLES = {"int": "1", "path": "bundle.js", "re": "0a", None: "slice"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get")
FOREIGN: list[dict[str, str | None]] = [
    {"HTTP_ORIGIN": "http://evil.example"},
    {"HTTP_ORIGIN": "null"},
    {"HTTP_ORIGIN": "http://127.0.0.1:9000"},
    {"HTTP_ORIGIN": "https://127.0.0.1:8080"},
    {"HTTP_ORIGIN": "http://localhost:8080"},
    {"HTTP_SEC_FETCH_SITE": "cross-site"},
    {"HTTP_SEC_FETCH_SITE": "same-site"},
]
WRONG_HOSTS = [
    None,
    "",
    "evil.example",
    "evil.example:8080",
    "127.0.0.1",
    "127.0.0.1:80800",
    "127.0.0.1:8080.evil.example",
]


def routes() -> list[str]:
    """A path for every route of optuna-dashboard, of tunefast's pages, of the guard, and for none."""
    found = {
        "/",
        "/login",
        "/login/",
        "/tunefast",
        "/tunefast/",
        "/tunefast/nowhere",
        "/tunefast/ids/1",
        "/tunefast/ids/99",
        "/tunefast/studies/",
        "/tunefast/studies/study",
        "/tunefast/studies/study/overview",
        "/tunefast/studies/study/nowhere",
        "/tunefast/studies/nobody/overview",
        "/tunefast/studies/\xff/overview",
        "/tunefast/static/0a/plotly.js",
        "/tunefast/static/0a/nowhere.js",
        "/nowhere",
        "//",
        "/static/../_app.py",
        "/dashboard/studies/1/beta",
    }
    for route in optuna_dashboard.wsgi(InMemoryStorage()).routes:
        path = re.sub(r"<\w*:re:\(/\.\*\)\?>", "", route.rule)
        found.add(re.sub(r"<(?:\w+)(?::(\w+)[^>]*)?>", lambda match: EXAMPLES[match[1]], path))
    assert len(found) > 25
    assert not [path for path in found if "<" in path]
    return sorted(found)


class Recorded:
    """An application that notes what got through to it, and claims what an unguarded one might."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer anything."""
        self.seen.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        claims = {
            "Content-Type": "text/html",
            "access-control-allow-origin": "*",
            "Access-Control-Allow-Credentials": "true",
            "content-security-policy": "default-src *",
            "X-Frame-Options": "ALLOWALL",
            "Server": "prototype",
        }
        start_response("200 OK", list(claims.items()))
        return [b"hello"]


@pytest.fixture
def app() -> Recorded:
    """What stands behind the guard."""
    return Recorded()


@pytest.fixture
def login() -> Login:
    """The secrets."""
    return Login(SITE)


def guarded(app: Recorded, login: Login, **options: Any) -> Guard:
    """The guard before an application mounted as optuna-dashboard is."""
    policies = {
        "/": OPTUNA_DASHBOARD,
        "/static/": OPTUNA_FILES,
        "/artifacts/": DOWNLOADS,
        "/tunefast": PAGES,
        "/tunefast/studies/": figures(["a{b:c}"]),
        "/tunefast/static/": OPEN_FILES,
    }
    return Guard({prefix: Mount(app, policy) for prefix, policy in policies.items()}, SITE, login, **options)


def everywhere() -> Iterator[tuple[str, str]]:
    """Every route with every method."""
    return ((path, method) for path in routes() for method in METHODS)


def check_headers(answer: Answer) -> None:
    """What every answer says to the browser, whatever it is."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] in ("no-store", "private, no-cache", "private, max-age=31536000, immutable")
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy or "default-src 'self'" in policy
    assert "*" not in policy
    assert "http" not in policy
    assert not [name for name in headers if name.startswith("access-control-")]
    assert "server" not in headers


@pytest.mark.parametrize("allow_edits", [False, True])
@pytest.mark.parametrize("host", WRONG_HOSTS)
def test_another_host_gets_nowhere(app: Recorded, login: Login, host: str | None, allow_edits: bool) -> None:
    """A name that somebody made lead here: 421 on every route, whoever asks, and no application sees it."""
    guard = guarded(app, login, allow_edits=allow_edits)
    cookie = log_in(guard, login)
    for path, method in everywhere():
        answer = ask(guard, path, method, HTTP_HOST=host, HTTP_COOKIE=cookie)
        assert answer.status == 421, (path, method)
        check_headers(answer)
    assert not app.seen


@pytest.mark.parametrize("allow_edits", [False, True])
@pytest.mark.parametrize("foreign", FOREIGN, ids=str)
def test_another_sites_page_gets_nowhere(
    app: Recorded, login: Login, foreign: dict[str, str | None], allow_edits: bool
) -> None:
    """A page of another site, or of another port: 403 on every route, cookie or not, and no application sees it."""
    guard = guarded(app, login, allow_edits=allow_edits)
    cookie = log_in(guard, login)
    for path, method in everywhere():
        answer = ask(guard, path, method, HTTP_COOKIE=cookie, **foreign)
        assert answer.status == 403, (path, method)
        check_headers(answer)
    assert not app.seen


@pytest.mark.parametrize("allow_edits", [False, True])
@pytest.mark.parametrize(
    "secret",
    [
        {},
        {"HTTP_COOKIE": "tunefast-8080="},
        {"HTTP_COOKIE": "tunefast-8080=guess; tunefast-8080=\xff"},
        {"HTTP_AUTHORIZATION": "Bearer "},
        {"HTTP_AUTHORIZATION": "Bearer guess\xff"},
        {"HTTP_AUTHORIZATION": "Basic Z3Vlc3M6"},
    ],
    ids=str,
)
def test_a_stranger_gets_nowhere(app: Recorded, login: Login, secret: dict[str, str], allow_edits: bool) -> None:
    """Without the cookie and the token: 401 to read, nothing at all to write, and no application sees it."""
    guard = guarded(app, login, allow_edits=allow_edits)
    allowed = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE") if allow_edits else ("GET", "HEAD")
    for path, method in everywhere():
        answer = ask(guard, path, method, HTTP_ORIGIN=ORIGIN, **secret)
        assert answer.status == (401 if method in allowed else 405), (path, method)
        check_headers(answer)
    assert not app.seen


def test_a_visitor_reads_and_changes_nothing(app: Recorded, login: Login) -> None:
    """With the cookie GET and HEAD get through on every route, and no other method does."""
    guard = guarded(app, login)
    cookie = log_in(guard, login)
    for path, method in everywhere():
        answer = ask(guard, path, method, HTTP_COOKIE=f"other=1; {cookie}", HTTP_SEC_FETCH_SITE="same-origin")
        check_headers(answer)
        expected = 405 if method not in ("GET", "HEAD") else 401 if path == "/login" else 200
        assert answer.status == expected, (path, method)
    assert {method for method, _ in app.seen} == {"GET", "HEAD"}
    assert {path for _, path in app.seen} == set(routes()) - {"/login"}


def test_the_real_dashboard_answers_behind_the_guard(path: Path, login: Login) -> None:
    """Every route of optuna-dashboard keeps the headers, its pages their own policy, and none fails."""
    with closing(ReadingStorage(path)) as storage:
        guard = Guard(mounts(storage, pages_of(path, storage)), SITE, login)
        for route in routes():
            answer = ask(guard, route, HTTP_AUTHORIZATION=f"Bearer {login.token}")
            check_headers(answer)
            assert answer.status < 500, route
        page = ask(guard, "/dashboard", HTTP_AUTHORIZATION=f"Bearer {login.token}")
        assert page.status == 200
        assert "script-src 'self' 'unsafe-eval'" in page.headers["Content-Security-Policy"]
        script = ask(guard, "/static/bundle.js", HTTP_AUTHORIZATION=f"Bearer {login.token}")
        assert script.status == 200
        assert script.headers["Cache-Control"] == "private, no-cache"


def test_browsers_keep_what_an_address_stands_for_alone(path: Path, login: Login) -> None:
    """A file of ours is kept for good under its own digest; of any other there is none, which nobody keeps."""
    with closing(ReadingStorage(path)) as storage:
        guard = Guard(mounts(storage, pages_of(path, storage)), SITE, login)
        addresses = static.address("page.js"), "/tunefast/static/0a/page.js", "/tunefast/static/0a/nowhere.js"
        answers = [ask(guard, address, HTTP_AUTHORIZATION=f"Bearer {login.token}") for address in addresses]
    assert [(answer.status, answer.headers["Cache-Control"]) for answer in answers] == [
        (200, "private, max-age=31536000, immutable"),
        (404, "no-store"),
        (404, "no-store"),
    ]


def test_artifacts_are_only_downloads(app: Recorded, login: Login) -> None:
    """A page among a study's files is saved, not shown: it would run as one of ours."""
    answer = ask(guarded(app, login), "/artifacts/1/2/0a", HTTP_AUTHORIZATION=f"Bearer {login.token}")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == "attachment"
    assert "sandbox" in answer.headers["Content-Security-Policy"]


def test_our_own_pages_run_nothing_inline(app: Recorded, login: Login) -> None:
    """Under /tunefast/ and in every refusal scripts and styles come from files of this site, or are known by hash."""
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {login.token}"}
    for answer in (
        ask(guarded(app, login), "/tunefast/", **bearer),
        ask(guarded(app, login), "/tunefast/studies/study/overview", **bearer),
        ask(guarded(app, login), "/"),
    ):
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_a_refusal_is_in_plain_words(app: Recorded, login: Login) -> None:
    """People read a page, optuna-dashboard's page a reason in JSON, and HEAD gets no body."""
    guard = guarded(app, login)
    assert b"open the login link" in ask(guard, "/").body
    assert ask(guard, "/").headers["Content-Type"].startswith("text/html")
    refused = ask(guard, "/api/studies/1", "DELETE")
    assert b'{"reason": "This dashboard only reads.' in refused.body
    assert refused.headers["Allow"] == "GET, HEAD"
    assert ask(guard, "/", "HEAD").body == b""


EDIT = {"HTTP_ORIGIN": ORIGIN, "CONTENT_TYPE": "application/json; charset=utf-8"}


@pytest.mark.parametrize(
    ("changed", "body", "status"),
    [
        ({}, b"{}", 200),
        ({"CONTENT_TYPE": ""}, b"", 200),
        ({"HTTP_ORIGIN": None}, b"{}", 403),
        ({"CONTENT_TYPE": "text/plain"}, b"{}", 415),
        ({"CONTENT_TYPE": "application/x-www-form-urlencoded"}, b"", 415),
        ({"CONTENT_TYPE": ""}, b"{}", 415),
        ({}, b" " * MAX_BODY_BYTES, 200),
        ({}, b" " * (MAX_BODY_BYTES + 1), 413),
        ({"CONTENT_LENGTH": "-1"}, b"", 413),
        ({"CONTENT_LENGTH": "\u00b2"}, b"", 413),
        ({"CONTENT_LENGTH": "1" * 5000}, b"", 413),
    ],
    ids=[
        "right",
        "empty",
        "no-origin",
        "text",
        "form",
        "no-type",
        "1-MB",
        "too-large",
        "negative",
        "no-number",
        "too-long",
    ],
)
def test_a_change_is_json_from_our_own_page(
    app: Recorded, login: Login, changed: dict[str, str | None], body: bytes, status: int
) -> None:
    """With --allow-edits a browser's change needs our Origin, the JSON type and at most 1 MB."""
    guard = guarded(app, login, allow_edits=True)
    cookie = log_in(guard, login)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = ask(guard, "/api/studies/1", method, body, HTTP_COOKIE=cookie, **{**EDIT, **changed})
        assert answer.status == status
        check_headers(answer)
    assert len(app.seen) == (4 if status == 200 else 0)


def test_a_script_with_the_token_may_change_without_an_origin(app: Recorded, login: Login) -> None:
    """No other page can send the token, so a script needs no Origin; it needs JSON all the same."""
    guard = guarded(app, login, allow_edits=True)
    bearer = {"HTTP_AUTHORIZATION": f"bearer {login.token}"}
    assert ask(guard, "/api/studies/1", "DELETE", b"{}", CONTENT_TYPE="application/json", **bearer).status == 200
    assert ask(guard, "/api/studies/1", "DELETE", b"{}", CONTENT_TYPE="text/plain", **bearer).status == 415


def test_an_application_is_found_by_the_longest_prefix(login: Login) -> None:
    """Another application can be mounted beside optuna-dashboard; a path that fits none is not found."""
    root, pages = Recorded(), Recorded()
    guard = Guard({"/x/": Mount(root, PAGES), "/x/pages/": Mount(pages, PAGES)}, SITE, login)
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {login.token}"}
    assert ask(guard, "/x/pages/a", **bearer).status == ask(guard, "/x/pagesa", **bearer).status == 200
    assert (root.seen, pages.seen) == ([("GET", "/x/pagesa")], [("GET", "/x/pages/a")])
    assert ask(guard, "/y", **bearer).status == 404


def test_each_own_name_is_its_own_origin(app: Recorded, login: Login) -> None:
    """All names of loopback are served, each to pages of its own name."""
    guard = guarded(app, login)
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {login.token}"}
    for host in (HOST, "localhost:8080", "LOCALHOST:8080", "[::1]:8080"):
        answer = ask(guard, "/", HTTP_HOST=host, HTTP_ORIGIN=f"http://{host.lower()}", **bearer)
        assert answer.status == 200, host
