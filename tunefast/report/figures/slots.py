"""Where the time of a study's slots went: the slot ledger."""

from __future__ import annotations

from typing import NamedTuple

from tunefast.report.figures.drawing import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    labels_above,
    picture,
    rows_axis,
    time_unit,
)
from tunefast.report.figures.figure import Drawing, Figure, Table
from tunefast.report.phrases import brief, duration
from tunefast.search.slot_ledger import NAMES, SlotLedger, slot_ledger
from tunefast.store.snapshot import StudySnapshot

COLOURS = {
    "winner": GREEN,
    "finished": BLUE,
    "stopped": ORANGE,
    "failed": VERMILION,
    "unfinished": SKY,
    "redone": VERMILION,
    "idle": VERMILION,
    "evaluation": PURPLE,
}
"""Of what took time; the rest is grey."""
LEAST_SHARE = 0.005
"""Of the time; what took less is not worth a line."""
ROW_HEIGHT = 46
"""Pixels."""


class Spending(NamedTuple):
    """What slots spent their time with."""

    part: str
    """A field of `SlotLedger`."""
    seconds: float
    share: float
    """Of the total."""

    @property
    def name(self) -> str:
        """In words."""
        return NAMES[self.part]


def spending(ledger: SlotLedger) -> list[Spending]:
    """What took a share worth telling, the most first."""
    parts = {part: seconds for part, seconds in ledger._asdict().items() if part != "total"}
    found = [Spending(part, seconds, seconds / ledger.total) for part, seconds in parts.items()]
    return sorted((each for each in found if each.share >= LEAST_SHARE), key=lambda each: -each.seconds)


def numbers(study: StudySnapshot) -> SlotLedger | None:
    """The ledger; None where no slot was lent to the study yet, or an earlier tunefast did not count."""
    ledger = slot_ledger(study)
    return None if ledger is None or ledger.total <= 0 else ledger


def draw(ledger: SlotLedger) -> Drawing:
    """A bar each."""
    rows = spending(ledger)
    unit, scale = time_unit(max(each.seconds for each in rows))
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [each.seconds / scale for each in rows],
        "y": list(range(len(rows))),
        "width": 0.45,
        "text": [f"{each.share:.0%}" for each in rows],
        "textposition": "auto",
        "textangle": 0,
        "hovertext": [f"{each.name}: {brief(each.seconds)}, {each.share:.0%}" for each in rows],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "marker": {"color": [COLOURS.get(each.part, GREY) for each in rows]},
    }
    return picture(
        [bars],
        x=f"{unit} of slots",
        y="",
        yaxis=rows_axis(len(rows)),
        annotations=labels_above([each.name for each in rows], 0.25),
        showlegend=False,
        height=90 + ROW_HEIGHT * len(rows),
    )


def caption(ledger: SlotLedger) -> str:
    """What slots are, and how much of their time trained."""
    training = ledger.winner + ledger.finished + ledger.stopped + ledger.failed + ledger.unfinished
    return (
        f"Slots are places to train, lent to the study for {duration(ledger.total)} in all: "
        f"{training / ledger.total:.0%} of that was training, {ledger.idle / ledger.total:.0%} idle."
    )


def table(ledger: SlotLedger) -> Table:
    """A row each."""
    rows = [(f"{each.share:.0%}", brief(each.seconds), each.name) for each in spending(ledger)]
    return Table(("share", "time", "for"), rows)


FIGURE = Figure("Where the slots' time went", "a study that a slot has worked on", numbers, draw, table, caption)
