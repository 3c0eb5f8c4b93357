"""The application under ``/tunefast/``: the list of studies, each study's pages, scripts and styles. It only reads."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIEnvironment

from tunefast.dashboard.pages import html, static
from tunefast.dashboard.pages.kept import Kept, View
from tunefast.dashboard.pages.studies import rows, standing
from tunefast.dashboard.refusals import Refusal
from tunefast.errors import StudyNotOurs, TunefastError, nearest
from tunefast.report.html import content
from tunefast.report.page import read_page, report
from tunefast.run.looking import seen, workers
from tunefast.search.confirmed import confirmation_of
from tunefast.store.reading import ReadingStorage
from tunefast.store.snapshot import snapshot
from tunefast.store.studies import CONFIRMATION

LEAST_ZIPPED_BYTES = 1400
"""What fits into one packet is sent as it is."""
ALL_STUDIES = (html.ROOT, "All studies")


class Answer(NamedTuple):
    """What is sent."""

    body: bytes
    headers: list[tuple[str, str]]
    status: HTTPStatus = HTTPStatus.OK


class Pages:
    """tunefast's pages of the studies in the database at `path`, whose trials `storage` keeps.

    `pages` are the files of ``dashboards/`` by name, the one that opens first in front; `flag` is what commands need to
    find the database.
    """

    def __init__(self, path: Path, storage: ReadingStorage, pages: Mapping[str, Path], flag: str = "") -> None:
        self._path = path
        self._storage = storage
        self._pages = {name: read_page(file) for name, file in pages.items()}
        self._titles = {name: page.title for name, page in self._pages.items()}
        self._flag = flag
        self._kept = Kept()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a GET or HEAD."""
        try:
            answer = self._answer(environ)
        except Refusal as refusal:
            return refusal.answer(environ, start_response)
        except TunefastError as error:
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, str(error)).answer(environ, start_response)
        has_body = answer.status is not HTTPStatus.NO_CONTENT
        headers = answer.headers + ([("Content-Length", str(len(answer.body)))] if has_body else [])
        start_response(f"{answer.status.value} {answer.status.phrase}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]

    def _answer(self, environ: WSGIEnvironment) -> Answer:
        path = environ.get("PATH_INFO", "").encode("latin-1").decode(errors="replace")
        routes: list[tuple[str, Callable[..., Answer]]] = [
            (r"/tunefast", lambda _: _moved(html.ROOT)),
            (r"/tunefast/(?:studies/)?", self._index),
            (r"/tunefast/static/[0-9a-f]+/([^/]+)", _file),
            (r"/tunefast/ids/([0-9]{1,18})/?", lambda _, study_id: self._by_id(study_id)),
            (r"/tunefast/studies/([^/]+)/?", lambda _, study: _moved(html.where(study, next(iter(self._pages))))),
            (r"/tunefast/studies/(.+)/([^/]+)", self._study),
        ]
        for pattern, respond in routes:
            found = re.fullmatch(pattern, path)
            if found:
                return respond(environ, *found.groups())
        raise Refusal(HTTPStatus.NOT_FOUND, "There is no such page.", link=ALL_STUDIES)

    def _index(self, environ: WSGIEnvironment) -> Answer:
        at_work = workers(self._path)

        def make() -> str:
            return html.index_page(rows(self._path, self._storage, at_work), self._titles, str(self._path))

        version = (self._storage.version, None if at_work is None else frozenset(at_work.items()))
        return _page(environ, "Studies: tunefast", self._kept.view(None, version, make, _known(environ)))

    def _study(self, environ: WSGIEnvironment, study: str, page: str) -> Answer:
        if page not in self._pages:
            words = f"There is no page {page!r} of a study; there are {', '.join(self._pages)}."
            raise Refusal(HTTPStatus.NOT_FOUND, words + nearest(page, self._pages), link=ALL_STUDIES)
        known = self._known_studies()
        if study not in known:
            words = f"There is no study {study!r} in this database.{nearest(study, known)}"
            raise Refusal(HTTPStatus.NOT_FOUND, words, link=ALL_STUDIES)
        at_work = workers(self._path)

        def make() -> str:
            return self._content(study, page, at_work)

        names = (study, study + CONFIRMATION)
        version = (self._storage.version, None if at_work is None else tuple(at_work.get(name, 0) for name in names))
        view = self._kept.view((study, page), version, make, _known(environ))
        return _page(environ, f"{study}: {self._titles[page]}", view, has_figures=True)

    def _content(self, study: str, page: str, at_work: Mapping[str, int] | None) -> str:
        try:
            found = seen(snapshot(self._path, study), at_work)
        except StudyNotOurs as error:
            words = f"Study {study!r} was not created by tunefast, which has no page of it."
            there = (html.in_optuna_dashboard(self._known_studies()[study]), "It in optuna-dashboard")
            raise Refusal(HTTPStatus.NOT_FOUND, words, link=there) from error
        confirmation = confirmation_of(self._path, found)
        made = report(found, confirmation, self._pages[page], datetime.now(UTC), flag=self._flag, at_work=at_work)
        known = self._known_studies()
        place = html.Place(study, known[study], page, standing(found), list(known), self._titles)
        return html.study_page(content(made), place)

    def _by_id(self, study_id: str) -> Answer:
        """Where optuna-dashboard, which knows a study by its number, leads to."""
        study = next((name for name, number in self._known_studies().items() if number == int(study_id)), None)
        if study is None:
            words = f"There is no study with the number {study_id} in this database."
            raise Refusal(HTTPStatus.NOT_FOUND, words, link=ALL_STUDIES)
        return _moved(html.where(study, next(iter(self._pages))))

    def _known_studies(self) -> dict[str, int]:
        return {study.study_name: study._study_id for study in self._storage.get_all_studies()}  # noqa: SLF001


def _page(environ: WSGIEnvironment, title: str, view: View, *, has_figures: bool = False) -> Answer:
    """A page; nothing for who has it."""
    if _known(environ) == view.mark:
        return Answer(b"", [], HTTPStatus.NO_CONTENT)
    text = html.whole(title, view.mark, view.text, has_figures=has_figures)
    return _zipped(environ, text.encode(), [("Content-Type", "text/html; charset=utf-8")])


def _known(environ: WSGIEnvironment) -> str:
    """The mark of the page that a browser has, whose script asks whether there is another."""
    return next(iter(parse_qs(environ.get("QUERY_STRING", "")).get("since", [])), "")


def _file(environ: WSGIEnvironment, name: str) -> Answer:
    """A script or style, under the digest of what is in it alone: browsers never ask again for what they got there."""
    if name not in static.NAMES or environ["PATH_INFO"] != static.address(name):
        raise Refusal(HTTPStatus.NOT_FOUND, "There is no such file.")
    headers = [("Content-Type", static.type_of(name)), ("Vary", "Accept-Encoding")]
    if "gzip" not in environ.get("HTTP_ACCEPT_ENCODING", ""):
        return Answer(static.text(name).encode(), headers)
    return Answer(_zipped_file(name), [*headers, ("Content-Encoding", "gzip")])


@cache
def _zipped_file(name: str) -> bytes:
    return gzip.compress(static.text(name).encode(), mtime=0)


def _zipped(environ: WSGIEnvironment, body: bytes, headers: list[tuple[str, str]]) -> Answer:
    if "gzip" not in environ.get("HTTP_ACCEPT_ENCODING", "") or len(body) < LEAST_ZIPPED_BYTES:
        return Answer(body, headers)
    return Answer(gzip.compress(body, compresslevel=1), [*headers, ("Content-Encoding", "gzip")])


def _moved(target: str) -> Answer:
    return Answer(b"", [("Location", target)], HTTPStatus.FOUND)
