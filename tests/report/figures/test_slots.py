"""Where the slots' time went."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from tests.report.made import PRUNED, attempt, epoch, study, trial
from tunefast.cli.slot_table import show_slots
from tunefast.report.figures import slots
from tunefast.search.slot_ledger import NAMES, slot_ledger
from tunefast.store.snapshot import StudySnapshot

PARTS = ("idle", "winner", "stopped", "rest")


def made() -> StudySnapshot:
    """A winner that trained 6 s, a stopped trial that trained 2 s, on slots that were lent for 20 s."""
    rows = [epoch(0, 1, 0.9, seconds=6.0), epoch(1, 1, 0.1, seconds=2.0)]
    stays = [attempt(0, "w1", 0, 7), attempt(1, "w2", 0, 2, "pruned")]
    return replace(study(trial(0.9), trial(None, PRUNED), epochs=rows, attempts=stays), slot_seconds=20.0)


def test_it_is_the_ledger_the_most_first() -> None:
    """The figure's numbers are those that end `study run`; what took nothing has no row."""
    found = slots.numbers(made())
    assert found == slot_ledger(made())
    assert found is not None
    assert [(each.part, each.seconds) for each in slots.spending(found)] == [
        ("idle", 11.0),
        ("winner", 6.0),
        ("stopped", 2.0),
        ("rest", 1.0),
    ]
    assert sum(each.share for each in slots.spending(found)) == pytest.approx(1)


def test_a_bar_and_a_row_each() -> None:
    """In the same order, under the names that end `study run`."""
    found = slots.numbers(made())
    assert found is not None
    (bars,) = slots.draw(found)["data"]
    labels = [note["text"] for note in slots.draw(found)["layout"]["annotations"]]
    assert labels == [row[-1] for row in slots.table(found).rows] == [NAMES[part] for part in PARTS]
    assert list(bars["x"]) == [11.0, 6.0, 2.0, 1.0]
    assert slots.table(found).rows[1] == ("30%", "6 s", "training the winner")
    assert "40% of that was training, 55% idle" in slots.caption(found)
    assert set(NAMES) == set(found._fields) - {"total"}


def test_a_terminal_has_the_same_names() -> None:
    """In the same order as the page."""
    console = Console(file=StringIO(), width=80)
    show_slots(console, made())
    said = console.file.getvalue()  # type: ignore[attr-defined]
    found = slots.numbers(made())
    assert found is not None
    places = [said.index(row[-1]) for row in slots.table(found).rows]
    assert places == sorted(places)


def test_without_slots_there_is_nothing() -> None:
    """An earlier tunefast did not count, and a new study had none."""
    assert slots.numbers(study()) is None
    assert slots.numbers(replace(study(), slot_seconds=0.0)) is None
