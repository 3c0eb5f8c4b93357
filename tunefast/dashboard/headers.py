"""What every answer says to the browser about how it may be used, whatever the application behind it said."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Any
from wsgiref.types import StartResponse

Headers = list[tuple[str, str]]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_CROSS_SITE = "access-control-"
"""What the headers begin with that let pages of other sites read an answer."""
_NO_STORE, _ASK_AGAIN = "no-store", "private, no-cache"
_UNFRAMED = "frame-ancestors 'none'; base-uri 'none'; form-action 'none'; object-src 'none'"


@dataclass(frozen=True)
class Policy:
    """What a browser may do with the answers of an application."""

    content: str
    """The content security policy."""
    cache: str = _NO_STORE
    is_download: bool = False
    """Whether the browser only ever saves them, whatever type they claim to be of."""

    def headers(self, given: Headers) -> Headers:
        """An answer's headers: those `given` by the application that say nothing on these matters, and ours."""
        ours = _ALWAYS | {"Content-Security-Policy": self.content, "Cache-Control": self.cache}
        if self.is_download:
            ours |= {"Content-Type": "application/octet-stream", "Content-Disposition": "attachment"}
        names = {name.lower() for name in ours} | {"server", "expires", "pragma"}
        kept = [(name, value) for name, value in given if name.lower() not in names]
        return [*((name, value) for name, value in kept if not name.lower().startswith(_CROSS_SITE)), *ours.items()]

    def dressing(self, start_response: StartResponse) -> StartResponse:
        """`start_response`, for an application whose answers follow this policy."""

        def dressed(status: str, headers: Headers, exc_info: ExcInfo | None = None, /) -> Any:
            return start_response(status, self.headers(headers), exc_info)

        return dressed


PAGES = Policy(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " + _UNFRAMED
)
"""tunefast's own pages, and every refusal."""
OPTUNA_DASHBOARD = Policy(
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; " + _UNFRAMED
)
"""optuna-dashboard: it compiles functions for WebGL, and writes styles into its page."""
OPTUNA_FILES = Policy(OPTUNA_DASHBOARD.content, cache=_ASK_AGAIN)
"""optuna-dashboard's script, several megabytes of it."""
DOWNLOADS = Policy("default-src 'none'; sandbox; " + _UNFRAMED, is_download=True)
"""Files that somebody put into a study: a page among them would otherwise run as one of ours."""
