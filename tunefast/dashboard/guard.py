"""The guard: WSGI middleware that decides which requests an application sees, and what browsers do with its answers.

Threats it stands against: pages of other sites in the same browser, names that are made to lead here, other users of
the machine and of the network, and files that somebody put into a study.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import NamedTuple
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from tunefast.dashboard import login
from tunefast.dashboard.headers import PAGES, Policy
from tunefast.dashboard.login import Login
from tunefast.dashboard.refusals import Refusal
from tunefast.dashboard.site import Site

MAX_BODY_BYTES = 2**20
_BEARER = ("WWW-Authenticate", 'Bearer realm="tunefast"')
_READING = ("GET", "HEAD")
_EDITING = ("POST", "PUT", "PATCH", "DELETE")
_OWN_SITES = (None, "same-origin", "none")
"""What browsers send as Sec-Fetch-Site from our own pages and for an address that somebody typed."""


class Mount(NamedTuple):
    """An application and the policy of its answers."""

    app: WSGIApplication
    policy: Policy


class Guard:
    """The applications in `mounts`, by the prefix of the paths they answer, the longest that fits; paths stay whole.

    A login link leads to `home`; `on_login` is called whenever one was used.
    """

    def __init__(
        self,
        mounts: Mapping[str, Mount],
        site: Site,
        login: Login,
        *,
        allow_edits: bool = False,
        home: str = "/",
        on_login: Callable[[], None] = lambda: None,
    ) -> None:
        self._mounts = sorted(mounts.items(), key=lambda item: len(item[0]), reverse=True)
        self._origins = site.origins
        self._site = site
        self._login = login
        self._methods = _READING + (_EDITING if allow_edits else ())
        self._home = home
        self._on_login = on_login

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        try:
            origin = self._checked_origin(environ)
            environ["wsgi.url_scheme"] = origin.partition(":")[0]  # of absolute addresses that an application tells
            self._check_method(environ)
            if environ.get("PATH_INFO") == login.PATH:
                return self._log_in(environ, start_response)
            self._check_visitor(environ)
            if environ["REQUEST_METHOD"] in _EDITING:
                self._check_edit(environ)
            mount = self._mount(environ.get("PATH_INFO", ""))
        except Refusal as refusal:
            return refusal.answer(environ, PAGES.dressing(start_response))
        return mount.app(environ, mount.policy.dressing(start_response))

    def _checked_origin(self, environ: WSGIEnvironment) -> str:
        """The origin that the request names itself, which must be ours, and where it says it comes from too."""
        origin = self._origins.get(environ.get("HTTP_HOST", "").lower())
        if origin is None:
            raise Refusal(HTTPStatus.MISDIRECTED_REQUEST, f"This is not served here. Open {self._site.url}/ instead.")
        if environ.get("HTTP_ORIGIN", origin) != origin or environ.get("HTTP_SEC_FETCH_SITE") not in _OWN_SITES:
            words = "A page of another site asked for this. To open it yourself, copy the address into the browser."
            raise Refusal(HTTPStatus.FORBIDDEN, words)
        return origin

    def _check_method(self, environ: WSGIEnvironment) -> None:
        if environ["REQUEST_METHOD"] not in self._methods:
            words = "This dashboard only reads. To change studies in it, start tunefast dashboard --allow-edits"
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, words, ("Allow", ", ".join(self._methods)))

    def _check_visitor(self, environ: WSGIEnvironment) -> None:
        if not (self._login.has_token(environ) or self._login.has_session(environ)):
            words = "Please log in: open the login link that tunefast dashboard printed last. Each link works once."
            raise Refusal(HTTPStatus.UNAUTHORIZED, words, _BEARER)

    def _check_edit(self, environ: WSGIEnvironment) -> None:
        """A browser says where its request comes from; a script has the token, which no other page can send."""
        if "HTTP_ORIGIN" not in environ and not self._login.has_token(environ):
            raise Refusal(HTTPStatus.FORBIDDEN, "A change must say which page it comes from (Origin).")
        num_bytes = environ.get("CONTENT_LENGTH") or "0"
        if not re.fullmatch(r"[0-9]{1,9}", num_bytes) or int(num_bytes) > MAX_BODY_BYTES:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "A change may have 1 MB at most.")
        kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
        if kind != "application/json" and (kind or int(num_bytes)):
            raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "A change must be JSON (application/json).")

    def _log_in(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        cookie = self._login.begin(environ)
        if cookie is None:
            words = "This login link was used, or is not one. Open the link that tunefast dashboard printed last."
            raise Refusal(HTTPStatus.UNAUTHORIZED, words, _BEARER)
        self._on_login()
        answer = [("Location", self._home), ("Set-Cookie", cookie), ("Content-Length", "0")]
        start_response("303 See Other", PAGES.headers(answer))
        return []

    def _mount(self, path: str) -> Mount:
        found = next((mount for prefix, mount in self._mounts if path.startswith(prefix)), None)
        if found is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "There is no such page.")
        return found
