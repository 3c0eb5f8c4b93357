"""Figures of tunefast's in the study itself, where optuna-dashboard shows them, stock optuna-dashboard too."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunefast.errors import StudyNotFound
from tunefast.run.commands import store_plots
from tunefast.store.snapshot import snapshot

if TYPE_CHECKING:
    from tunefast.report.figures.figure import Drawing
    from tunefast.report.page import Section

LEAST_SECONDS = 10.0
"""Of work on a study, for which the second that drawing takes is worth it."""
MOST_BYTES = 400_000
"""Of a study's figures: optuna-dashboard reads them with each look at the study."""
DIGITS = 6
INK, LINE = "#808080", "rgba(128,128,128,0.25)"
"""Legible on white and on black: what stands in a database does not know which page it comes onto."""


def leave_figures(path: Path, names: Iterable[str], page: Path, on_note: Callable[[str], None]) -> None:
    """Store the figures of studies that somebody has worked on; that this fails is a note, and ends nothing."""
    for name in names:
        try:
            store_figures(path, name, page)
        except StudyNotFound:  # deleted meanwhile
            continue
        except Exception as error:  # noqa: BLE001 - the study is done, whatever becomes of its figures
            on_note(f"Note: optuna-dashboard does not show the figures of {name}: {error or type(error).__name__}")


def store_figures(path: Path, name: str, page: Path) -> None:
    """Store the figures that the file `page` of ``dashboards/`` names, in place of those from before.

    What of them does not fit is left out. Nothing is done for a study that was worked on for seconds only. Raises
    `StorageError`, and `StudyNotFound` where the study is gone.
    """
    from tunefast.report.html import for_script  # commands start sooner without figures
    from tunefast.report.page import read_page, sections

    study = snapshot(path, name)
    if study.active_seconds < LEAST_SECONDS:
        return
    plots: dict[str, str] = {}
    num_bytes = 0
    for section in sections(study, read_page(page)):
        if section.drawing is not None:
            text = for_script(dressed(section, section.drawing))
            if num_bytes + len(text) <= MOST_BYTES:
                plots[section.name] = text
                num_bytes += len(text)
    store_plots(path, name, plots)


def dressed(section: Section, drawing: Drawing) -> Drawing:
    """A drawing for a page that says nothing beside it and gives it its size: with its title, in colours of its own."""
    from tunefast.report.figures.figure import with_lines  # with what draws figures

    layout = {key: value for key, value in drawing["layout"].items() if key != "height"}
    layout |= {
        "title": {"text": section.title, "x": 0, "xref": "paper"},
        "font": {**layout.get("font", {}), "color": INK},
    }
    layout["margin"] = {**layout.get("margin", {}), "t": 70}
    return {"data": _rounded(drawing["data"]), "layout": with_lines(layout, LINE)}


def _rounded(value: Any) -> Any:
    """Numbers with as many digits as are seen."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
