"""Commands of the user's own, with names in braces that are filled in."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from tunefast.errors import nearest

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([A-Za-z_][\w.]*)\}")


def filled(text: str, known: Mapping[str, Any], among: str) -> str:
    """`text` with each ``{name}`` replaced by its value, and doubled braces by single ones.

    Raises `ValueError` for a name that is not in `known`; `among` says in words what these are not.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return match[0][0]
        if name not in known:
            place = f"{text!r}: " if text != match[0] else ""
            raise ValueError(f"{place}{match[0]} is {among}.{nearest(name, known)}")
        return _text(known[name])

    return _PLACEHOLDER.sub(value, text)


def names_in(text: str) -> set[str]:
    """The names that stand in braces in `text`."""
    return {name for name in _PLACEHOLDER.findall(text) if name}


def words_of(command: str | Sequence[str]) -> list[str]:
    """The words of a command line, as a shell tells them apart; raises `ValueError` where quotes do not match."""
    if not isinstance(command, str):
        return list(command)
    try:
        return shlex.split(command)
    except ValueError as error:
        raise ValueError(f"{error} in {command!r}") from error


def flat(table: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Every value in nested tables by its dotted path, the tables too."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        found[path + key] = value
        if isinstance(value, Mapping):
            found |= flat(value, f"{path}{key}.")
    return found


def _text(value: Any) -> str:
    """A value as a command line has it: numbers and text as they are, booleans as true and false, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value)
