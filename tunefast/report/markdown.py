"""A report as Markdown: the paragraph, and the figures' numbers as tables."""

from __future__ import annotations

import re

from tunefast.report.figures.figure import Table
from tunefast.report.page import Report, Section

MOST_ROWS = 50
"""Of a table."""


def markdown(report: Report) -> str:
    """The whole file."""
    opening = report.opening
    parts = [f"# {_text(report.study)}", f"{report.title}, {report.moment:%Y-%m-%d %H:%M %Z}"]
    parts.append(_text(" ".join(opening.sentences)))
    if opening.settings:
        parts.append("\n".join(f"- {_text(path)}: {_text(value)}" for path, value in opening.settings.items()))
    if opening.commands:
        lines = (f"    {each.line}  # {each.meaning}" for each in opening.commands)
        parts.append("Next:\n\n" + "\n".join(lines))
    return "\n\n".join([*parts, *(_section(section) for section in report.sections)]) + "\n"


def _section(section: Section) -> str:
    parts = [f"## {section.title}", _text(section.caption)]
    return "\n\n".join([*parts, *([] if section.table is None else [_table(section.table)])])


def _table(table: Table) -> str:
    rows = [table.columns, ["---"] * len(table.columns)]
    lines = [
        "| " + " | ".join(_text(cell) if index != 1 else cell for cell in row) + " |" for index, row in enumerate(rows)
    ]
    lines += ["| " + " | ".join(map(_text, row)) + " |" for row in table.rows[:MOST_ROWS]]
    left = len(table.rows) - MOST_ROWS
    holds = f"{_text(table.holds)}\n\n" if table.holds else ""
    return holds + "\n".join(lines) + (f"\n\nThe first {MOST_ROWS} of {len(table.rows):,} rows." if left > 0 else "")


def _text(text: str) -> str:
    """Plain text in which nothing is markup."""
    return re.sub(r"([\\`*\[\]<>|#]|(?<!\w)_|_(?!\w))", r"\\\1", " ".join(text.split()))
