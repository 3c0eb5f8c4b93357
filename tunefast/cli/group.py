"""Groups of commands."""

from __future__ import annotations

from typing import Any

import typer
from pydantic import ValidationError
from typer.core import TyperGroup

WHOLE = 10**6


class Group(TyperGroup):
    """Lists its commands with the whole first sentence of what each does, in two lines where it has to."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, whose texts would be cut at the width of the terminal."""
        rows = [(name, self.commands[name].get_short_help_str(WHOLE)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was typed; what is wrong with an option is said in the words of a spec's mistakes."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            if isinstance(error.__cause__, ValidationError):  # newer typers check options with pydantic
                error.message = _in_words(error.__cause__)
            raise


def _in_words(error: ValidationError) -> str:
    from tunefast.spec.wording import problem

    detail: Any = error.errors()[0]
    words = problem([detail], [])
    return words if detail["type"] == "value_error" else f"{detail['input']!r} {words}"
