"""Figure: numbers apart from drawing, and what is said where a study has none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from tunefast.store.snapshot import StudySnapshot

Numbers = TypeVar("Numbers")
Item = TypeVar("Item")
Drawing = dict[str, Any]
"""A Plotly figure: data and layout, ready for JSON."""


class Table(NamedTuple):
    """A figure's numbers in words."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    holds: str = ""
    """Which of the figure's numbers it has, where not all of them, in a sentence."""


@dataclass(frozen=True)
class Figure(Generic[Numbers]):
    """One figure of a page."""

    title: str
    needs: str
    """What a study lacks that has no numbers for it."""
    numbers: Callable[[StudySnapshot], Numbers | None]
    """What is drawn; None where there is nothing to draw."""
    draw: Callable[[Numbers], Drawing]
    table: Callable[[Numbers], Table]
    caption: Callable[[Numbers], str]
    """How to read it, and what was left out."""
    applies: Callable[[StudySnapshot], bool] = lambda _: True
    """Whether a page of the study has it at all."""


def with_lines(layout: dict[str, Any], color: str) -> dict[str, Any]:
    """A figure's layout with the lines of all its axes in that colour."""
    colors = {"gridcolor": color, "zerolinecolor": color, "linecolor": color}
    return layout | {key: layout[key] | colors for key in layout if key.startswith(("xaxis", "yaxis"))}


def thinned(items: Sequence[Item], most: int) -> list[Item]:
    """At most `most` of the items, evenly, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(index * (len(items) - 1) / (most - 1))] for index in range(most)]


def left_out(shown: int, total: int, what: str) -> str:
    """Says that a figure shows a part; nothing where it shows all."""
    return "" if shown == total else f" {shown:,} of {total:,} {what} are drawn."
