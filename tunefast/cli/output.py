"""What people read: words and tables, legible at 80 columns, without control characters where no terminal is."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from tunefast.report.phrases import amount, counts_line, duration, number, scaled, setting, short_params

__all__ = [
    "amount",
    "console",
    "counts_line",
    "duration",
    "number",
    "plain_table",
    "print_json",
    "scaled",
    "setting",
    "short_params",
    "show_commands",
    "show_settings",
    "show_typed",
]


def console(*, to_json: bool = False) -> Console:
    """Where people's text goes: standard output, or standard error where that is kept for JSON."""
    return Console(stderr=to_json, highlight=False, markup=False)


def print_json(document: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(_finite(document), indent=2, default=str, allow_nan=False))  # noqa: T201


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: null stands for them."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def plain_table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table without borders, whose columns in `right` are numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


def show_settings(out: Console, settings: Mapping[str, Any]) -> None:
    """Print settings, a line each."""
    width = max((len(path) for path in settings), default=0)
    for path, value in settings.items():
        out.print(f"  {path:<{width}}  {setting(value)}", markup=False)


def show_commands(out: Console, commands: Sequence[tuple[str, str]]) -> None:
    """Print commands to type next, each with what it is for."""
    out.print()
    out.print("Next:")
    show_typed(out, commands)


def show_typed(out: Console, commands: Sequence[tuple[str, str]]) -> None:
    """Print commands to type with what they are for, in columns, or where these are too wide in lines of their own."""
    width = max(len(command) for command, _ in commands)
    fits = 2 + width + 2 + max(len(meaning) for _, meaning in commands) <= out.width
    for command, meaning in commands:
        out.print(f"  {command:<{width}}  {meaning}" if fits else f"  {command}\n      {meaning}", soft_wrap=True)
