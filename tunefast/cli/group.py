"""Groups of commands."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

WHOLE = 10**6
OF_PYDANTIC = "Value error, "
"""What newer typers put in front of a message."""


class Group(TyperGroup):
    """Lists its commands with the whole first sentence of what each does, in two lines where it has to."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, whose texts would be cut at the width of the terminal."""
        rows = [(name, self.commands[name].get_short_help_str(WHOLE)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was typed; what is wrong with an option is said in the words of who checks it alone."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix(OF_PYDANTIC)
            raise
