"""Pages: a study's figures in the order that a file of ``dashboards/`` names, under a paragraph in words."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from tunefast.report.figures.figure import Drawing, Figure, Table
from tunefast.report.registry import FIGURES
from tunefast.report.words import Opening, opening
from tunefast.search.confirmed import Confirmation
from tunefast.store.snapshot import StudySnapshot


class Page(NamedTuple):
    """What a file of ``dashboards/`` says."""

    title: str
    figures: list[str]
    """Names in `FIGURES`, in order."""


class Section(NamedTuple):
    """A figure of a study; where the study has no numbers for it, the caption alone, which says what is missing."""

    name: str
    title: str
    caption: str
    drawing: Drawing | None
    table: Table | None


class Report(NamedTuple):
    """A study as a page, in no format yet."""

    study: str
    title: str
    moment: datetime
    """When the study stood like this."""
    opening: Opening
    sections: Sequence[Section]


def read_page(path: Path) -> Page:
    """The page in a file."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return Page(table["title"], table["figures"])


def report(
    study: StudySnapshot,
    confirmation: Confirmation | None,
    page: Page,
    moment: datetime,
    *,
    flag: str = "",
    at_work: Collection[str] | None = (),
    drawn: bool = True,
) -> Report:
    """A study's page; `flag` is what commands need to find its database.

    `at_work` are the studies that have workers, None where nobody knows. Pictures are left out unless `drawn`.
    """
    words = opening(study, confirmation, flag, at_work)
    return Report(study.name, page.title, moment, words, sections(study, page, drawn=drawn))


def sections(study: StudySnapshot, page: Page, *, drawn: bool = True) -> list[Section]:
    """The figures of a study that a page names, but for those that do not apply to it."""
    return [_section(name, FIGURES[name], study, drawn=drawn) for name in page.figures if FIGURES[name].applies(study)]


def _section(name: str, figure: Figure[Any], study: StudySnapshot, *, drawn: bool) -> Section:
    numbers = figure.numbers(study)
    if numbers is None:
        return Section(name, figure.title, f"Nothing to show yet: this needs {figure.needs}.", None, None)
    drawing = figure.draw(numbers) if drawn else None
    return Section(name, figure.title, figure.caption(numbers), drawing, figure.table(numbers))
