"""What is wrong with a value, in words: what pydantic found -> what would be valid."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from tunefast.errors import nearest
from tunefast.recipe.own import DOTTED_PATH
from tunefast.spec.domains import DomainPart, Float

Location = tuple[int | str, ...]

NO_TABLE = ("dict_type", "model_type", "model_attributes_type")
KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    **dict.fromkeys(NO_TABLE, "a table"),
}
"""What a value should be, by pydantic's name for that it is not."""
RANGES = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "greater than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}
STUDY_NAME = "should be a name without / and \\ and control characters, such as line breaks"
PATTERNS = {
    DOTTED_PATH: "should be module:name, as in 'my_package.my_module:MyClass'",
    r"^[\w-]*$": "should be letters, digits, - and _ alone",
}
DOMAIN_KEYS = {
    "values": "choices",
    "min": "low",
    "lower": "low",
    "max": "high",
    "upper": "high",
    "q": "step",
    **dict.fromkeys(("log_uniform", "loguniform"), "log = true"),
}
"""What other programs call the keys of a domain -> what a spec calls them."""
BUDGET_KEYS = {
    **dict.fromkeys(("trials", "num_samples", "n_trials", "num_trials", "max_trials"), "trials"),
    **dict.fromkeys(("minutes", "timeout", "time_budget_s"), "minutes"),
}
"""What other programs call the keys of the budget, and its own, which may stand in another section."""


def problem(details: Sequence[Any], models: list[type[BaseModel]]) -> str:
    """What is wrong with a value, of which `models` may be made; it has a detail for each kind that it might be of."""
    kinds = list(dict.fromkeys(kind_of(each) for each in details))
    if len(details) > 1 and all(kinds):
        return f"should be {_either(kinds)}"
    detail = details[0]
    match detail["type"]:
        case "missing":
            return "is missing"
        case "value_error":
            return str(detail["ctx"]["error"])
        case "union_tag_invalid" | "union_tag_not_found":
            return _name(detail, models)
        case kind if kind in NO_TABLE:
            return f"should be a table, {{ {_example(detail['input'], models)} }}"
    return f"should be {kinds[0]}" if kinds[0] else _of_value(detail)


def _either(kinds: list[str]) -> str:
    several = [kind for kind in kinds if kind != "a whole number" or "a number" not in kinds]
    return " or ".join(filter(None, (", ".join(several[:-1]), several[-1])))


def _example(value: Any, models: list[type[BaseModel]]) -> str:
    """What a table might have that stands for `value`."""
    if isinstance(value, list) and Float in models:
        return f"choices = {value!r}"
    return f'name = "{value}"' if value in _names_of(models) else "..."


def kind_of(detail: Any) -> str:
    """What kind of value it should be; empty where the wrong thing is not what kind of value it is."""
    if detail["type"] == "literal_error":
        return str(detail["ctx"]["expected"])
    return KINDS.get(detail["type"], "")


def _name(detail: Any, models: list[type[BaseModel]]) -> str:
    """That a part has no name, or an unknown one."""
    if detail["type"] == "union_tag_not_found":
        return f"needs a name. Known: {', '.join(_names_of(models))}."
    tag, tags = str(detail["ctx"]["tag"]), [tag.strip(" '") for tag in str(detail["ctx"]["expected_tags"]).split(",")]
    known = f" Known: {', '.join(sorted(tags))}."
    return f"unknown name {tag!r}.{nearest(tag, tags).replace(known, '')}{known}"


def _of_value(detail: Any) -> str:
    """What is wrong with how large, how long or how spelt it is; else pydantic's own words."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in RANGES:
        name, words = RANGES[kind]
        return f"should be {words} {context[name]:g}"
    if kind == "string_pattern_mismatch":
        is_study = detail["loc"][-2:] == ("study", "name")
        return STUDY_NAME if is_study else PATTERNS.get(context["pattern"], f"should match {context['pattern']}")
    if kind in ("string_too_short", "too_short"):
        least = context["min_length"]
        return "is empty" if least == 1 else f"should have {least} values at least"
    if kind in ("string_too_long", "too_long"):
        of = "characters" if kind == "string_too_long" else "values"
        return f"should have {context['max_length']} {of} at most"
    return "should be a finite number" if kind == "finite_number" else str(detail["msg"]).removeprefix("Input ")


def unknown_key(detail: Any, models: list[type[BaseModel]], path: str = "") -> str:
    """That there is no such key, and what it might have been; `path` is the searched setting that it is a step of."""
    key, known = str(detail["loc"][-1]), {name for model in models for name in model.model_fields}
    told = f"unknown key {key!r}."
    if any(issubclass(model, DomainPart) for model in models):
        choices = {"choices"} if Float in models else set()
        return f"{told}{_domain_key(key, detail['input'], known | choices)}"
    close = difflib.get_close_matches(key.lower(), known, n=1)
    replaced = ".".join(close[0] if step == key else step for step in path.split(".")) if path and close else ""
    settings = settings_called((path or key).rpartition(".")[2], models) if len(detail["loc"]) <= 2 else []  # noqa: PLR2004
    if settings and ("." not in path or not close):
        return f"{told} Did you mean {' or '.join(map(repr, settings))}?"
    return f"{told} Did you mean {replaced!r}?" if replaced else f"{told}{nearest(key, known)}"


def budget_key(path: Sequence[int | str]) -> str:
    """That there is no such key where `path` ends, but one of the budget; empty where it is none of those."""
    *sections, key = path
    meant = BUDGET_KEYS.get(str(key))
    if meant is None or len(sections) > 1:
        return ""
    place = "" if sections == ["budget"] else " in [budget]"
    return f"unknown key {key!r}. Did you mean {meant!r}{place}?"


def _domain_key(key: str, value: Any, known: set[str]) -> str:
    """What a key of a domain might have been, other programs' names for it among them."""
    if key in DOMAIN_KEYS:
        return f" Did you mean {DOMAIN_KEYS[key]!r}?"
    if key == "value":
        return " A setting that is not searched goes into [recipe]."
    if key == "distribution":
        return " Did you mean 'log = true'?" if "log" in str(value) else " Leave it out: values are drawn evenly."
    return nearest(key, known)


def settings_called(name: str, models: list[type[BaseModel]]) -> list[str]:
    """Options of that name in the parts of a recipe, as paths, where there are few."""
    found = [
        f"{part}.{name}"
        for model in models
        for part, field in model.model_fields.items()
        if any(name in inner.model_fields for inner in models_in(field.annotation))
    ]
    return found if len(found) <= 3 else []  # noqa: PLR2004  more are no guess


def _names_of(models: list[type[BaseModel]]) -> list[str]:
    return sorted(str(model.model_fields["name"].default) for model in models if "name" in model.model_fields)


def models_at(model: type[BaseModel], loc: Location) -> list[type[BaseModel]]:
    """The models that may stand where `loc` points into; for an unknown key, those that might have had it."""
    models = [model]
    for step in loc:
        fields = [candidate.model_fields[str(step)] for candidate in models if str(step) in candidate.model_fields]
        if fields:
            models = [inner for field in fields for inner in models_in(field.annotation)]
            continue
        tagged = [candidate for candidate in models if step in _tags(candidate)]
        models = tagged or models
    return models


def _tags(model: type[BaseModel]) -> tuple[str, ...]:
    name = model.model_fields.get("name")
    return (model.__name__.lower(), str(name.default) if name is not None else "")


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models among what a field may be."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in typing.get_args(annotation) for model in models_in(argument)]
