"""Who may look: whoever opened the login link, or can read the token's file."""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Iterable
from urllib.parse import parse_qs
from wsgiref.types import WSGIEnvironment

from tunefast.dashboard.site import Site

PATH = "/login"
_TOKEN_BYTES = 32


class Login:
    """The secrets of one start of a dashboard: a token for scripts, a link that works once, a session per browser."""

    def __init__(self, site: Site) -> None:
        self.token = _secret()
        self._site = site
        self._key = _secret()
        self._sessions: set[str] = set()
        self._lock = threading.Lock()

    @property
    def link(self) -> str:
        """What logs the next browser in; another one as soon as it was used."""
        return f"{self._site.url}{PATH}?key={self._key}"

    def begin(self, environ: WSGIEnvironment) -> str | None:
        """The cookie of a new session, for the request of a browser that opens the link; None for any other.

        A browser that only fetches ahead has not opened it.
        """
        is_ahead = "prefetch" in environ.get("HTTP_SEC_PURPOSE", "") or environ["REQUEST_METHOD"] != "GET"
        given = parse_qs(environ.get("QUERY_STRING", "")).get("key", [])
        with self._lock:
            if is_ahead or len(given) != 1 or not _is_among(given[0], [self._key]):
                return None
            self._key = _secret()
            session = _secret()
            self._sessions.add(session)
        secure = "; Secure" if self._site.is_secure else ""
        return f"{self._site.cookie}={session}; Path=/; HttpOnly; SameSite=Strict{secure}"

    def has_token(self, environ: WSGIEnvironment) -> bool:
        """Whether a request bears the token, which no browser does by itself."""
        scheme, _, given = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        return scheme.lower() == "bearer" and _is_among(given.strip(), [self.token])

    def has_session(self, environ: WSGIEnvironment) -> bool:
        """Whether a request comes from a browser that logged in."""
        cookies = (pair.strip().partition("=") for pair in environ.get("HTTP_COOKIE", "").split(";"))
        with self._lock:
            sessions = list(self._sessions)
        return any(name == self._site.cookie and _is_among(value, sessions) for name, _, value in cookies)


def _secret() -> str:
    return secrets.token_urlsafe(_TOKEN_BYTES)


def _is_among(given: str, secrets_: Iterable[str]) -> bool:
    """Whether a text is one of some secrets, in a time that tells nothing about how near it came."""
    answers = [hmac.compare_digest(given.encode(errors="replace"), secret.encode()) for secret in secrets_]
    return any(answers)
