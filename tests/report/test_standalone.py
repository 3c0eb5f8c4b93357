"""Figures that stand alone."""

from __future__ import annotations

from tests.report.test_page import EVIL
from tunefast.report.figures.figure import Drawing
from tunefast.report.standalone import LINE, dressed


def test_users_words_are_no_tags_in_a_picture() -> None:
    """Neither in the title nor in the figure; the figure itself stays as it was."""
    drawing: Drawing = {"data": [{"text": [EVIL]}], "layout": {"height": 100, "xaxis": {"title": {"text": EVIL}}}}
    made = dressed(drawing, EVIL)
    assert "<" not in str(made)
    assert drawing["layout"]["height"] == 100


def test_the_lines_of_all_axes_are_pale() -> None:
    """Each axis has the paper's lines, and keeps what it said of itself; the drawing stays as it was."""
    drawing: Drawing = {"data": [], "layout": {"height": 100, "xaxis": {"type": "log"}, "yaxis2": {"gridcolor": "red"}}}
    layout = dressed(drawing, "t")["layout"]
    lines = dict.fromkeys(("gridcolor", "zerolinecolor", "linecolor"), LINE)
    assert (layout["xaxis"], layout["yaxis2"]) == ({"type": "log"} | lines, lines)
    assert drawing["layout"]["yaxis2"] == {"gridcolor": "red"}
