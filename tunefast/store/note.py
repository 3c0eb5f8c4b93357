"""The note that optuna-dashboard shows of a study: what tunefast does with it, and its spec."""

from __future__ import annotations

from typing import Any

import tomlkit
from sqlalchemy.engine import Connection

from tunefast.shell import command
from tunefast.spec.study import StudySpec
from tunefast.store.rows import parts, replace_system_attributes, system_attributes

VERSION = "dashboard:note_ver"
PART = "dashboard:note_str:"
TEXT = """\
A study of tunefast, which goes on with `{run}`.

- `{show}`: every trial; `--trial N`: one, with its curve and why it ended
- `{best}`: the winner's whole recipe
- `tunefast dashboard`, `{report}`: what won, how sure that is, and figures
- `{confirm}`: whether it wins on new seeds too

Its spec:

```toml
{spec}```
"""


def note_of(spec: StudySpec) -> str:
    """The note, in Markdown."""
    whole = spec.model_dump(mode="json", exclude_none=True)
    told = _named(spec.model_dump(mode="json", exclude_none=True, exclude_defaults=True), whole)
    commands = {verb: command("study", verb, spec.study.name) for verb in ("run", "show", "best", "confirm")}
    return TEXT.format(**commands, report=command("report", spec.study.name), spec=tomlkit.dumps(told))


def _named(told: Any, whole: Any) -> Any:
    """`told` with the names of its parts, which are defaults to pydantic, from the `whole` of it."""
    if isinstance(told, list):
        return [_named(item, other) for item, other in zip(told, whole, strict=True)]
    if not isinstance(told, dict):
        return told
    name = {"name": whole["name"]} if isinstance(whole.get("name"), str) else {}
    return name | {key: _named(value, whole[key]) for key, value in told.items()}


def write_note(connection: Connection, name: str, spec: StudySpec, before: StudySpec | None = None) -> None:
    """Give the study called `name` the note of `spec`, unless people have changed what it had of the spec `before`."""
    found = system_attributes(connection, name, VERSION, PART)
    body = "".join(found.get(f"{PART}{index}", "") for index in range(len(found)))
    if body and (before is None or body != note_of(before)):
        return
    note = {VERSION: found.get(VERSION, 0) + 1, **parts(PART, note_of(spec))}
    replace_system_attributes(connection, name, note, VERSION, PART)
