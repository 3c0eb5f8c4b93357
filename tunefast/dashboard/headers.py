"""What every answer says to the browser about how it may be used, whatever the application behind it said."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
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
_NO_STORE, _ASK_AGAIN, _FOREVER = "no-store", "private, no-cache", "private, max-age=31536000, immutable"
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
        """`start_response`, for an application whose answers follow this policy; errors are never kept."""

        def dressed(status: str, headers: Headers, exc_info: ExcInfo | None = None, /) -> Any:
            policy = replace(self, cache=_NO_STORE) if status.startswith(("4", "5")) else self
            return start_response(status, policy.headers(headers), exc_info)

        return dressed


PAGES = Policy(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " + _UNFRAMED
)
"""tunefast's own pages, and every refusal."""
OPEN_FILES = Policy(PAGES.content, cache=_FOREVER)
"""The scripts and styles of tunefast's pages, whose addresses change with them."""
OPTUNA_DASHBOARD = Policy(
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; " + _UNFRAMED
)
"""optuna-dashboard: it compiles functions for WebGL, and writes styles into its page."""
OPTUNA_FILES = Policy(OPTUNA_DASHBOARD.content, cache=_ASK_AGAIN)
"""optuna-dashboard's script, several megabytes of it."""
EMPTY_STYLE = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
"""The hash of a style element in which nothing stands yet."""


def figures(styles: Iterable[str]) -> Policy:
    """Pages of tunefast's own with figures. Plotly, which draws them, writes these `styles` into a page.

    It also makes a style element that is empty, to which it adds rules as it draws. With the hashes of all of them no
    `unsafe-inline` is needed, by which a style that somebody smuggled in would count too. A picture it saves is a blob.
    """
    hashes = [EMPTY_STYLE, *(f"sha256-{b64encode(sha256(style.encode()).digest()).decode()}" for style in styles)]
    allowed = " ".join(f"'{each}'" for each in hashes)
    content = PAGES.content.replace("style-src 'self'", f"style-src 'self' {allowed}")
    return Policy(content.replace("img-src 'self' data:", "img-src 'self' data: blob:"))


DOWNLOADS = Policy("default-src 'none'; sandbox; " + _UNFRAMED, is_download=True)
"""Files that somebody put into a study: a page among them would otherwise run as one of ours."""
