"""What somebody reads whose request is refused."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from http import HTTPStatus
from wsgiref.types import StartResponse, WSGIEnvironment

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="UTF-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>tunefast: {title}</title></head>
<body><h1>{title}</h1><p>{words}</p>{link}</body>
</html>
"""


class Refusal(Exception):
    """Why a request gets no answer, in plain words."""

    def __init__(
        self, status: HTTPStatus, words: str, *headers: tuple[str, str], link: tuple[str, str] | None = None
    ) -> None:
        super().__init__(words)
        self.status = status
        self.words = words
        self.headers = headers
        self.link = link
        """Where to go on from here: an address and its name."""

    def body(self, environ: WSGIEnvironment) -> tuple[bytes, str]:
        """What is sent, and its type: JSON for optuna-dashboard's page, which shows the reason, else a page."""
        if environ.get("PATH_INFO", "").startswith("/api/"):
            return json.dumps({"reason": self.words}).encode(), "application/json"
        address, name = self.link or ("", "")
        link = f'<p><a href="{html.escape(address)}">{html.escape(name)}</a></p>' if self.link else ""
        page = _PAGE.format(title=html.escape(self.status.phrase), words=html.escape(self.words), link=link)
        return page.encode(), "text/html; charset=UTF-8"

    def answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request with it."""
        body, kind = self.body(environ)
        answer = [*self.headers, ("Content-Type", kind), ("Content-Length", str(len(body)))]
        start_response(f"{self.status.value} {self.status.phrase}", answer)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
