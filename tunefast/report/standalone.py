"""A figure that stands alone, in a file or a notebook: on white paper, with a title."""

from __future__ import annotations

import json

from tunefast.report.figures.figure import Drawing, with_lines
from tunefast.report.html import for_script

TITLE_HEIGHT, MARGIN = 48, 24
"""Pixels."""
INK, PAPER, LINE = "#1a1a1a", "#ffffff", "#d9d9d9"


def dressed(drawing: Drawing, title: str) -> Drawing:
    """A figure on white paper with its title, whose texts are users' words and no tags."""
    plain: Drawing = json.loads(for_script(drawing))
    layout = plain["layout"]
    top = TITLE_HEIGHT * (1 if layout.get("showlegend") is False else 2)
    above = {"text": json.loads(for_script(title)), "x": 0, "xanchor": "left", "y": 1, "yanchor": "top"}
    layout |= {
        "title": above | {"yref": "container", "pad": {"t": MARGIN // 2, "l": MARGIN}},
        "height": layout["height"] + top,
        "margin": {"l": MARGIN, "r": MARGIN, "t": top, "b": MARGIN},
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PAPER,
        "font": {"color": INK, "family": "system-ui, sans-serif"},
    }
    return plain | {"layout": with_lines(layout, LINE)}
