"""Mistakes in a spec, each in a line that says where, what and what would be valid."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from tunefast.recipe.recipe import MODELS, RECIPE
from tunefast.spec.domains import Float
from tunefast.spec.space import apply
from tunefast.spec.study import StudySpec
from tunefast.spec.wording import DOMAIN_KEYS, NO_TABLE, Location, budget_key, kind_of, models_at, problem, unknown_key

MOST_TOLD = 5
DOMAIN = {*Float.model_fields, *DOMAIN_KEYS, "choices", "distribution"} - {"when"}
"""What a table has that is meant as a domain."""


def told(mistakes: Sequence[str]) -> str:
    """The first few mistakes, a line each, and how many more there are."""
    more = len(mistakes) - MOST_TOLD
    rest = [f"(and {more} more mistake{'s' * (more != 1)})"] if more > 0 else []
    return "\n  ".join([*mistakes[:MOST_TOLD], *rest])


def mistakes_of(error: ValidationError, table: Mapping[str, Any]) -> list[str]:
    """What is wrong in the sections of a spec; unknown keys first, since other mistakes may follow from them."""
    return [_in_section(details, path, StudySpec) for path, details in _apart(error, table)]


def mistakes_of_recipe(error: ValidationError, spec: StudySpec, params: Mapping[str, Any]) -> list[str]:
    """What is wrong with the recipe of a trial with `params`, told of [space] where that is searched."""
    table = apply(spec.recipe, spec.space, params)
    return [_of_trial(details, path, spec, params) for path, details in _apart(error, table, skip=1)]


def mistakes_of_fixed(recipe: Any, space: Any) -> list[str]:
    """What is wrong with the fixed settings alone, whatever is searched: no part of which anything is."""
    if not isinstance(recipe, dict) or not isinstance(space, dict):
        return []
    try:
        RECIPE.validate_python(recipe)
    except ValidationError as error:
        searched = {path.partition(".")[0] for path in space}
        found = [(path, details) for path, details in _apart(error, recipe, skip=1) if path or not space]
        model = MODELS[str(error.errors()[0]["loc"][0])]
        return [_fixed(details, path, model) for path, details in found if not (path and path[0] in searched)]
    return []


def _fixed(details: list[Any], path: list[int | str], model: type[BaseModel]) -> str:
    rest = [{**detail, "loc": detail["loc"][1:]} for detail in details]
    return _in_section(rest, ["recipe", *path], model)


def _in_section(details: list[Any], path: list[int | str], model: type[BaseModel]) -> str:
    """A mistake by its section, and the path in there."""
    section, *rest = path or [""]
    where = f"[{section}] {_dotted(rest)}".strip() if section else ""
    detail = details[0]
    models = models_at(model, detail["loc"])
    if detail["type"] == "extra_forbidden":
        unquoted = _unquoted(rest, detail["input"]) if section == "space" else ""
        if unquoted:
            return f'[space] {unquoted}: a path with dots needs quotes: "{unquoted}" = {{ ... }}'
        return f"{where}: {budget_key(path) or unknown_key(detail, models)}"
    return _valued(details, where, models)


def _valued(details: list[Any], where: str, models: list[type[BaseModel]], *, shows: bool = True) -> str:
    """A mistake with the value, where that is short and not told anyway."""
    detail = details[0]
    value, kind = detail["input"], detail["type"]
    is_told = kind in ("missing", "value_error", "union_tag_invalid", "union_tag_not_found")
    if shows and not is_told and (not isinstance(value, dict | list) or kind in NO_TABLE):
        where = f"{where} = {value!r}"
    what = problem(details, models)
    return f"{where}: {what}" if where else what


def _of_trial(details: list[Any], path: list[int | str], spec: StudySpec, params: Mapping[str, Any]) -> str:
    """A mistake in a trial's recipe, by the searched path that it comes from, or by its place in [recipe]."""
    detail = details[0]
    model, loc = MODELS[str(detail["loc"][0])], detail["loc"][1:]
    models, is_unknown = models_at(model, loc), detail["type"] == "extra_forbidden"
    plain = _dotted(path) if _is_plain(detail) and isinstance(detail["input"], dict) else ""
    inside = next((each for each in params if plain and each.startswith(f"{plain}.")), None)
    if inside is not None:
        return f'[space] "{inside}": {plain} {problem(details, models)}, and has no settings of its own'
    steps = (*loc, "name") if detail["type"] == "union_tag_invalid" else loc
    searched = next((each for each in params if _names(steps, each) or _starts(loc, each, spec.recipe)), None)
    if searched is None:
        text = _fixed(details, path, model)
    elif is_unknown:
        is_step = loc[-1] in searched.split(".")
        value = "" if is_step else f" = {params[searched]!r}"
        text = f'[space] "{searched}"{value}: {unknown_key(detail, models, searched if is_step else "")}'
    else:
        text = _valued(details, f'[space] "{searched}" = {params[searched]!r}', models, shows=False)
    return f"{text}{_needed_condition(loc, searched, params)}" if is_unknown else text


def _needed_condition(loc: Location, searched: str | None, params: Mapping[str, Any]) -> str:
    """That a key is unknown only beside one of several choices, where the part of it is chosen."""
    choices = {
        path: value
        for path, value in params.items()
        if path != searched and path.endswith(".name") and path.partition(".")[0] == loc[0]
    }
    names = ", ".join(f"{path} = {value!r}" for path, value in choices.items())
    return f" That is so with {names}: give it a condition (when = ...) in [space]." if choices else ""


def _is_plain(detail: Any) -> bool:
    """Whether a plain value is what should stand there."""
    return bool(kind_of(detail)) and detail["type"] not in NO_TABLE


def _starts(loc: Location, path: str, recipe: Mapping[str, Any]) -> bool:
    """Whether the location is the first step of the searched path, which the fixed settings have not got."""
    return len(loc) == 1 and loc[0] == path.partition(".")[0] and loc[0] not in recipe


def _names(loc: Location, path: str) -> bool:
    """Whether the location of an error, tags and all, is the searched path or inside it."""
    parts = path.split(".")
    rest = iter(loc)
    return all(any(part == step for step in rest) for part in parts)


def _apart(error: ValidationError, table: Any, skip: int = 0) -> Iterator[tuple[list[int | str], list[Any]]]:
    """The details of each mistake with its path, unknown keys first: what follows from another is no mistake.

    Values that could be of several kinds have a detail for each; the first `skip` steps of locations are tags.
    """
    details = sorted(error.errors(), key=lambda detail: detail["type"] != "extra_forbidden")
    found: dict[tuple[int | str, ...], list[Any]] = {}
    for detail in details:
        path = tuple(_plain_path({**detail, "loc": detail["loc"][skip:]}, table))
        if not _follows(detail, details):
            found.setdefault(path, []).append(detail)
    for path, same in found.items():
        deeper = any(len(other) > len(path) and other[: len(path)] == path for other in found)
        if not (deeper and kind_of(same[0])):
            yield list(path), [each for each in same if kind_of(each)] or same


def _follows(detail: Any, details: Sequence[Any]) -> bool:
    """Whether a key is missing only since it stands there by another name, or since something else was meant."""
    if detail["type"] != "missing":
        return False
    place, key = detail["loc"][:-1], str(detail["loc"][-1])
    unknown = [
        str(other["loc"][-1]) for other in details if other["type"] == "extra_forbidden" and other["loc"][:-1] == place
    ]
    of_several = place[:1] in (("space",), ("enqueue",))
    return bool(unknown) if of_several else bool(difflib.get_close_matches(key, unknown))


def _unquoted(path: list[int | str], value: Any) -> str:
    """The path that was meant, where TOML has made tables of one without quotes; else nothing."""
    steps = [str(step) for step in path]
    while isinstance(value, dict) and value:
        if DOMAIN & value.keys():
            return ".".join(steps)
        step, value = next(iter(value.items()))
        steps.append(step)
    return ""


def _plain_path(detail: Mapping[str, Any], table: Any) -> list[int | str]:
    """Where the error is, without the union tags that pydantic puts in, found by walking the data along."""
    path: list[int | str] = []
    loc: Location = detail["loc"]
    for position, step in enumerate(loc):
        if isinstance(table, dict) and step in table:
            table = table[step]
            path.append(step)
        elif isinstance(table, list) and isinstance(step, int):
            table = table[step] if step < len(table) else None
            path.append(step)
        elif position == len(loc) - 1 and detail["type"] == "missing":
            path.append(step)
    return path


def _dotted(path: Iterable[int | str]) -> str:
    return ".".join(f'"{step}"' if "." in str(step) else str(step) for step in path)
