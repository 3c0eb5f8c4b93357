"""What people read: words and tables, legible at 80 columns, without control characters where no terminal is."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

LARGE = 1000
SECONDS_A_MINUTE, SECONDS_AN_HOUR = 60, 3600


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


def duration(seconds: float) -> str:
    """Seconds as people say them: ``4 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < SECONDS_A_MINUTE:
        return f"{whole} s"
    if whole < SECONDS_AN_HOUR:
        return f"{whole // SECONDS_A_MINUTE} min {whole % SECONDS_A_MINUTE} s"
    return f"{whole // SECONDS_AN_HOUR} h {whole % SECONDS_AN_HOUR // SECONDS_A_MINUTE} min"


def number(value: float | None) -> str:
    """A metric with four significant digits or more, or a dash."""
    return "-" if value is None else f"{value:.4f}" if abs(value) < LARGE else f"{value:.6g}"


def setting(value: Any) -> str:
    """A parameter's value: short, whatever its type."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def scaled(count: float) -> str:
    """A count with three digits, and the prefix of its unit."""
    value, prefixes = float(count), ["", "k", "M", "G", "T"]
    while value >= LARGE and len(prefixes) > 1:
        value /= LARGE
        prefixes.pop(0)
    return f"{value:.3g} {prefixes[0]}"


def short_params(params: Mapping[str, Any]) -> str:
    """Parameters in one line, each under the last part of its path where that is enough to tell them apart."""
    leaves = [path.rsplit(".", 1)[-1] for path in params]
    names = [
        leaf if leaves.count(leaf) == 1 and leaf != "name" else path for path, leaf in zip(params, leaves, strict=True)
    ]
    return " ".join(f"{name}={setting(value)}" for name, value in zip(names, params.values(), strict=True))


def show_settings(out: Console, settings: Mapping[str, Any]) -> None:
    """Print settings, a line each."""
    width = max((len(path) for path in settings), default=0)
    for path, value in settings.items():
        out.print(f"  {path:<{width}}  {setting(value)}", markup=False)


def show_commands(out: Console, commands: Sequence[tuple[str, str]]) -> None:
    """Print commands to type next, each with what it is for."""
    width = max(len(command) for command, _ in commands)
    out.print()
    out.print("Next:")
    for command, meaning in commands:
        out.print(f"  {command:<{width}}  {meaning}", soft_wrap=True)


def counts_line(counts: Mapping[str, int]) -> str:
    """Trials by state, in words."""
    order = ("complete", "pruned", "infeasible", "failed", "retried", "running", "paused", "waiting")
    return ", ".join(f"{counts[state]} {state}" for state in order if counts.get(state))
