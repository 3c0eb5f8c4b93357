"""Frame: a pandas data frame whose text has the columns that people look for, while pandas leaves out the middle."""

from __future__ import annotations

import textwrap
from typing import Any

import pandas as pd

ALL, FIRST = "tunefast:all", "tunefast:first"
"""Attributes of a frame: its columns, and how many of them its text has, the first ones."""
WIDTH = 80


def framed(rows: list[dict[str, Any]], columns: list[str], num_first: int) -> Frame:
    """A frame of these columns, of which its text has the first."""
    frame = Frame(rows, columns=columns)
    frame.attrs.update({ALL: columns, FIRST: num_first})
    return frame


class Frame(pd.DataFrame):  # type: ignore[misc,unused-ignore]  # without stubs pandas has no types
    """A data frame that shows its first columns, below each other where a line is full, and names the others."""

    @property
    def _constructor(self) -> type[Frame]:
        """So that what is made of it, as by sorting, shows itself alike."""
        return Frame

    def __repr__(self) -> str:
        names = list(self.columns)
        if names != self.attrs.get(ALL):  # another frame, made of this one
            return str(pd.DataFrame.__repr__(self))
        num_first = self.attrs[FIRST]
        with pd.option_context("display.max_columns", None, "display.expand_frame_repr", True):
            text = pd.DataFrame.__repr__(self.iloc[:, :num_first])
        if num_first == len(names):
            return str(text)
        others = textwrap.fill(f"more columns: {', '.join(names[num_first:])}", WIDTH)
        return f"{text}\n\n{others}"
