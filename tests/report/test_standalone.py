"""Figures that stand alone."""

from __future__ import annotations

from tests.report.test_page import EVIL
from tunefast.report.figures.figure import Drawing
from tunefast.report.standalone import dressed


def test_users_words_are_no_tags_in_a_picture() -> None:
    """Neither in the title nor in the figure; the figure itself stays as it was."""
    drawing: Drawing = {"data": [{"text": [EVIL]}], "layout": {"height": 100, "xaxis": {"title": {"text": EVIL}}}}
    made = dressed(drawing, EVIL)
    assert "<" not in str(made)
    assert drawing["layout"]["height"] == 100
