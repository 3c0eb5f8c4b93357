"""Groups of commands."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

WHOLE = 10**6


class Group(TyperGroup):
    """Lists its commands with the whole first sentence of what each does, in two lines where it has to."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, whose texts would be cut at the width of the terminal."""
        rows = [(name, self.commands[name].get_short_help_str(WHOLE)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
