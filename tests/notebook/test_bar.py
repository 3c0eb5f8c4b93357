"""Bar: what it says of a study, in a terminal, in a pipe, in a notebook."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from tunefast.notebook import bar
from tunefast.notebook.bar import Bar, in_words
from tunefast.spec.progress import Progress


def progress(**changes: Any) -> Progress:
    """Where a study stands."""
    standing: dict[str, Any] = {"study": "s [b]", "metric": "score", "direction": "maximize", "trials": 4}
    return Progress(**{**standing, "counts": {"complete": 2, "running": 1}, **changes})


def test_in_words() -> None:
    """Trials that have ended, the best value, what is left; what is not known is left out."""
    assert in_words(progress()) == "2/4 trials"
    assert in_words(progress(counts={"complete": 4, "imported": 3})) == "4/4 trials (+3 imported)"
    assert in_words(progress(trials=None, best_value=0.98765, eta_seconds=125.0)) == (
        "2 trials, score 0.9877, about 2:05 left"
    )
    assert in_words(progress(counts={"complete": 3, "running": 1}, eta_seconds=0.3)) == "3/4 trials, finishing"


def test_a_bar_ends_as_a_line_where_no_terminal_is() -> None:
    """One line in the end, with notes before it; names are no markup."""
    out = io.StringIO()
    with Bar(Console(file=out, width=100)) as shown:
        shown.show(progress())
        shown.note("worker [w1] died")
        shown.show(progress(counts={"complete": 4}))
    first, last = out.getvalue().splitlines()
    assert first == "worker [w1] died"
    assert last.startswith("s [b]")
    assert last.rstrip().endswith("4/4 trials")


def test_a_bar_is_drawn_over_in_a_terminal() -> None:
    """It shows each state."""
    out = io.StringIO()
    with Bar(Console(file=out, width=100, force_terminal=True)) as shown:
        shown.show(progress())
        shown._bar.refresh()
        shown.show(progress(counts={"complete": 3}))
    assert "2/4 trials" in out.getvalue()
    assert "3/4 trials" in out.getvalue()


def test_a_notebook_without_widgets_gets_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which is written over, since rich would show nothing there."""
    monkeypatch.setattr(bar, "find_spec", lambda _name: None)
    with Bar(Console(force_jupyter=True)) as shown:
        shown.show(progress())
        shown.note("worker w1 died")
        shown.show(progress(counts={"complete": 4}))
    lines = capsys.readouterr().out.split("\n")
    assert lines[0].endswith("worker w1 died")
    assert lines[1].endswith("s [b]  4/4 trials")
