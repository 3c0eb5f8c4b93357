"""What somebody reads whose request is refused."""

from __future__ import annotations

import html
import json
from http import HTTPStatus
from wsgiref.types import WSGIEnvironment

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="UTF-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>tunefast: {title}</title></head>
<body><h1>{title}</h1><p>{words}</p></body>
</html>
"""


class Refusal(Exception):
    """Why a request gets no answer, in plain words."""

    def __init__(self, status: HTTPStatus, words: str, *headers: tuple[str, str]) -> None:
        super().__init__(words)
        self.status = status
        self.words = words
        self.headers = headers

    @property
    def line(self) -> str:
        """Its status line."""
        return f"{self.status.value} {self.status.phrase}"

    def body(self, environ: WSGIEnvironment) -> tuple[bytes, str]:
        """What is sent, and its type: JSON for optuna-dashboard's page, which shows the reason, else a page."""
        if environ.get("PATH_INFO", "").startswith("/api/"):
            return json.dumps({"reason": self.words}).encode(), "application/json"
        page = _PAGE.format(title=html.escape(self.status.phrase), words=html.escape(self.words))
        return page.encode(), "text/html; charset=UTF-8"
