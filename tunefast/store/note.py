"""The note that optuna-dashboard shows of a study: what tunefast does with it, and its spec."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
import tomlkit
from sqlalchemy.engine import Connection

from tunefast.spec.study import StudySpec
from tunefast.store.rows import STUDIES, STUDY_SYSTEM_ATTRS

VERSION = "dashboard:note_ver"
PART = "dashboard:note_str:"
PART_CHARS = 2045
"""Of one part, as optuna-dashboard cuts notes."""
TEXT = """\
A study of tunefast, which goes on with `tunefast study run {name}`.

- `tunefast study show {name}`: every trial; `--trial N`: one, with its curve and why it ended
- `tunefast study best {name}`: the winner's whole recipe
- `tunefast study confirm {name}`: whether it wins on new seeds too

Its spec:

```toml
{spec}```
"""


def note_of(spec: StudySpec) -> str:
    """The note, in Markdown."""
    whole = spec.model_dump(mode="json", exclude_none=True)
    told = _named(spec.model_dump(mode="json", exclude_none=True, exclude_defaults=True), whole)
    return TEXT.format(name=spec.study.name, spec=tomlkit.dumps(told))


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
    study_id = connection.execute(sa.select(STUDIES.c.study_id).where(STUDIES.c.study_name == name)).scalar_one()
    own = STUDY_SYSTEM_ATTRS.c.study_id == study_id
    rows = connection.execute(sa.select(STUDY_SYSTEM_ATTRS.c.key, STUDY_SYSTEM_ATTRS.c.value_json).where(own))
    found = {key: json.loads(value) for key, value in rows if key.startswith((VERSION, PART))}
    body = "".join(found.get(f"{PART}{index}", "") for index in range(len(found)))
    if body and (before is None or body != note_of(before)):
        return
    connection.execute(sa.delete(STUDY_SYSTEM_ATTRS).where(own & STUDY_SYSTEM_ATTRS.c.key.in_(found)))
    text = note_of(spec)
    starts = enumerate(range(0, len(text), PART_CHARS))
    parts = {f"{PART}{index}": text[start : start + PART_CHARS] for index, start in starts}
    for key, value in {VERSION: found.get(VERSION, 0) + 1, **parts}.items():
        row = {"study_id": study_id, "key": key, "value_json": json.dumps(value)}
        connection.execute(sa.insert(STUDY_SYSTEM_ATTRS).values(row))
