"""Logging in: the link, the cookie, the token."""

from __future__ import annotations

from wsgiref.types import WSGIEnvironment

import pytest

from tests.dashboard.asking import SITE, ask, log_in
from tests.dashboard.test_guard import Recorded, guarded
from tunefast.dashboard.login import Login
from tunefast.dashboard.site import Site


def opening(link: str, **changed: str) -> WSGIEnvironment:
    """The request of a browser in which somebody opens a link."""
    return {"REQUEST_METHOD": "GET", "QUERY_STRING": link.partition("?")[2], **changed}


def test_the_link_works_once() -> None:
    """The first browser gets a cookie and is led to a page without the key; the second is told that it was used."""
    login = Login(SITE)
    guard = guarded(Recorded(), login)
    link = login.link
    first = ask(guard, link)
    assert (first.status, first.headers["Location"]) == (303, "/")
    second = ask(guard, link)
    assert second.status == 401
    assert b"used" in second.body
    assert "Set-Cookie" not in second.headers


def test_another_link_waits_for_the_next_browser() -> None:
    """Whoever started the dashboard is told the next link; both browsers stay logged in."""
    login, told = Login(SITE), []
    guard = guarded(Recorded(), login, on_login=lambda: told.append(login.link))
    cookies = [log_in(guard, login), log_in(guard, login)]
    assert len(set(told)) == 2
    assert [ask(guard, "/", HTTP_COOKIE=cookie).status for cookie in cookies] == [200, 200]


def test_the_cookie_is_for_this_port_and_not_for_scripts() -> None:
    """HttpOnly, SameSite=Strict, and a session's secret of its own: neither the link's key nor the token."""
    login = Login(SITE)
    link = login.link
    cookie = login.begin(opening(link))
    assert cookie is not None
    assert cookie.startswith("tunefast-8080=")
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict")
    assert link.partition("key=")[2] not in cookie
    assert login.token not in cookie


def test_behind_a_proxy_the_cookie_travels_by_tls_only() -> None:
    """A browser must not send it in the clear."""
    login = Login(Site(8080, proxy="https://tune.example"))
    assert login.link.startswith("https://tune.example/login?key=")
    cookie = login.begin(opening(login.link))
    assert cookie is not None
    assert cookie.endswith("; Secure")


@pytest.mark.parametrize(
    "changed",
    [
        {"REQUEST_METHOD": "HEAD"},
        {"HTTP_SEC_PURPOSE": "prefetch;prerender"},
        {"QUERY_STRING": "key=guess"},
        {"QUERY_STRING": ""},
    ],
    ids=str,
)
def test_what_opens_no_link_uses_none(changed: dict[str, str]) -> None:
    """A guess, a look ahead by the address bar, HEAD: no session, and the link still works."""
    login = Login(SITE)
    link = login.link
    assert login.begin({**opening(link), **changed}) is None
    assert login.begin(opening(link)) is not None


def test_every_start_has_its_own_secrets() -> None:
    """A token or a cookie of an earlier start opens nothing."""
    earlier, login = Login(SITE), Login(SITE)
    cookie = earlier.begin(opening(earlier.link))
    assert cookie is not None
    assert not login.has_session({"HTTP_COOKIE": cookie.partition(";")[0]})
    assert not login.has_token({"HTTP_AUTHORIZATION": f"Bearer {earlier.token}"})
    assert login.has_token({"HTTP_AUTHORIZATION": f"Bearer {login.token}"})
