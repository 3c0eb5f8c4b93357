"""`tunefast report`: a study as one file to look at, to keep or to send."""

from __future__ import annotations

import contextlib
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tunefast.cli.options import PRINTED, Storage, StudyName, Verbose
from tunefast.cli.output import console
from tunefast.errors import UserError, nearest
from tunefast.run.looking import seen, workers
from tunefast.run.specs import shipped
from tunefast.shell import DEFAULT_STORAGE, storage_flag
from tunefast.store.engine import database_path
from tunefast.store.snapshot import snapshot

ELSEWHERE = ("terminal", "optuna")
"""What `study watch` shows, of figures of its own, and what optuna-dashboard shows beside its own."""
FIRST = "overview"


class Format(StrEnum):
    """What a report is written as; the file's suffix."""

    HTML = "html"
    MD = "md"
    PNG = "png"


def pages() -> dict[str, Path]:
    """The pages that a report can be, by name."""
    return {name: path for name, path in shipped("dashboards").items() if name not in ELSEWHERE}


def report(
    name: StudyName,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            help="File to write, of png the directory; - is standard output. Default: NAME.html, NAME.md, NAME here.",
            metavar="FILE",
        ),
    ] = None,
    page: Annotated[str, typer.Option("--page", help="overview, speed or pruning.", metavar="PAGE")] = FIRST,
    format_: Annotated[
        Format,
        typer.Option("--format", help="html: figures to look at; md: their numbers as tables; png: a file a figure."),
    ] = Format.HTML,
    storage: Storage = DEFAULT_STORAGE,
    verbose: Verbose = False,
) -> None:
    """Write a page about a study: what won, how sure that is, and figures; one file that needs no network."""
    from tunefast.report.html import html
    from tunefast.report.markdown import markdown
    from tunefast.report.page import read_page
    from tunefast.report.page import report as report_on
    from tunefast.report.png import pictures
    from tunefast.search.confirmed import confirmation_of

    known = pages()
    if page not in known:
        raise UserError(message=f"--page {page}: there is no such page.{nearest(page, known)}")
    if output == PRINTED and format_ is Format.PNG:
        raise UserError(message="--format png: is no text to print; name a directory with -o DIR")
    path = database_path(storage)
    at_work = workers(path)
    study = seen(snapshot(path, name), at_work)
    drawn = format_ is not Format.MD
    made = report_on(
        study,
        confirmation_of(path, study),
        read_page(known[page]),
        datetime.now(UTC),
        flag=storage_flag(storage),
        at_work=at_work,
        drawn=drawn,
    )
    stem = f"{name}{'' if page == FIRST else f'-{page}'}"
    if format_ is Format.PNG:
        _write_pictures(output or Path(stem), pictures(made))
    else:
        _write(output or Path(f"{stem}.{format_}"), (html(made) if drawn else markdown(made)).encode())


def _write_pictures(directory: Path, drawn: dict[str, bytes]) -> None:
    """Write a file for each, into a directory that need not be there."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(message=f"{directory}: no directory can be made there: {error.strerror or error}") from error
    for name, content in drawn.items():
        _write(directory / f"{name}.png", content)


def _write(path: Path, content: bytes) -> None:
    """Write the file whole, or leave what was there; say so. What is to be printed is printed."""
    if path == PRINTED:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
        return
    scratch = path.with_name(f".{path.name}.part")
    try:
        scratch.write_bytes(content)
        scratch.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)
        raise UserError(message=f"{path}: cannot be written: {error.strerror or error}") from error
    console().print(f"Wrote {path}", soft_wrap=True)
