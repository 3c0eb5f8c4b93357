"""A spec file -> a checked StudySpec, or one message that names file, key, value and what would be valid."""

from __future__ import annotations

import tomllib
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from tunefast.errors import SpecError, nearest
from tunefast.recipe.metrics import applies
from tunefast.recipe.own import DOTTED_PATH
from tunefast.recipe.recipe import MODELS, AnyRecipe, TrainingRecipe
from tunefast.spec.domains import Float, Int
from tunefast.spec.space import apply
from tunefast.spec.study import StudySpec

Location = tuple[int | str, ...]
_NO_TABLE = ("dict_type", "model_type", "model_attributes_type")


def load_spec(path: str | Path, name: str | None = None, *, single: bool = False) -> StudySpec:
    """Read and check the spec in the TOML file `path`; `name` replaces the study's, which defaults to the file's.

    With `single` a file that says nothing of a budget has one of a single trial.

    Every corner of the space is built into a recipe, so a choice that makes none is refused here and not in the tenth
    trial. Raises `SpecError`.
    """
    path = Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(where=path, problem=f"cannot be read ({getattr(error, 'strerror', None) or error})") from error
    except tomllib.TOMLDecodeError as error:
        raise SpecError(where=path, problem=f"is not valid TOML: {error}") from error
    study = table.setdefault("study", {})
    if isinstance(study, dict) and (name is not None or "name" not in study):
        study["name"] = name if name is not None else path.stem
    if single:
        table.setdefault("budget", {"trials": 1})
    return parse_spec(table, str(path))


def parse_spec(table: Mapping[str, Any], where: str = "spec") -> StudySpec:
    """A spec from plain data, checked as `load_spec` does. Raises `SpecError`, whose message begins with `where`."""
    try:
        spec = StudySpec.model_validate(table)
    except ValidationError as error:
        raise SpecError(where=where, problem=_describe(error, StudySpec, table)) from error
    searched: set[str] = set()
    for params in spec.samples():
        searched |= params.keys()
        try:
            recipe = spec.recipe_for(params)
        except ValidationError as error:
            raise SpecError(where=where, problem=_describe_recipe(error, spec, params)) from error
        except ValueError as error:
            raise SpecError(where=where, problem=f"[space] {error}") from error
        _check_metric(spec, recipe, where)
        _check_whole_numbers(spec, recipe, params, where)
    for path in spec.space.keys() - searched:
        raise SpecError(where=where, problem=f'[space] "{path}": its conditions can never hold together')
    return spec


def _check_whole_numbers(spec: StudySpec, recipe: AnyRecipe, params: Mapping[str, Any], where: str) -> None:
    """Refuse whole bounds for a real setting: what looks like an interval would be searched in steps of 1."""
    for path in params:
        setting: Any = recipe
        for step in path.split("."):
            setting = getattr(setting, step, None)
        domain = spec.space[path]
        if isinstance(domain, Int) and isinstance(setting, float):
            problem = (
                f'[space] "{path}": the setting is a real number, and whole bounds search whole numbers only; '
                f"write low = {domain.low:.1f}, high = {domain.high:.1f}"
            )
            raise SpecError(where=where, problem=problem)


def _check_metric(spec: StudySpec, recipe: AnyRecipe, where: str) -> None:
    if not isinstance(recipe, TrainingRecipe):
        return
    missing = next((name for name in spec.reported_metrics if name not in recipe.reported_metrics), None)
    if missing is None:
        return
    name = missing.removeprefix("val_")
    if any(applies(name, kind) for kind in recipe.loss.kinds):
        hint = f" With metrics = [{name!r}] in [recipe] it is, as {f'val_{name}'!r}."
    else:
        hint = nearest(missing, recipe.reported_metrics)
    loss = f"the loss {recipe.loss.name!r}, which is for {recipe.loss.kinds[0]}"
    problem = f"not reported by a training with {loss}.{hint}"
    key = "metric" if missing in spec.study.metrics else "pruner.metric"
    place = f"[constraints] {missing!r}" if missing in spec.constraints else f"[study] {key} = {missing!r}"
    raise SpecError(where=where, problem=f"{place}: {problem}")


def _describe(error: ValidationError, model: type[BaseModel], table: Mapping[str, Any]) -> str:
    details = error.errors()
    first = min(details, key=lambda detail: detail["type"] != "extra_forbidden")
    path = _plain_path(first, table)
    section, *rest = path or [""]
    where = f"[{section}] {_dotted(rest)}".strip() if section else ""
    text = _problem(first, _models_at(model, first["loc"]), where)
    return text if len(details) == 1 else f"{text} (and {len(details) - 1} more)"


def _describe_recipe(error: ValidationError, spec: StudySpec, params: Mapping[str, Any]) -> str:
    details = error.errors()
    first = details[0]
    model = MODELS[str(first["loc"][0])]
    loc = first["loc"][1:]
    searched = next((path for path in params if _names(loc, path) or _starts(loc, path, spec.recipe)), None)
    if searched is not None:
        where = f'[space] "{searched}" = {params[searched]!r}'
    else:
        table = apply(spec.recipe, spec.space, params)
        where = f"[recipe] {_dotted(_plain_path({**first, 'loc': loc}, table))}".strip()
    text = _problem(first, _models_at(model, loc), where, show_value=searched is None)
    choices = {
        path: value
        for path, value in params.items()
        if path != searched and path.endswith(".name") and path.partition(".")[0] == loc[0]
    }
    if choices and first["type"] == "extra_forbidden":
        names = ", ".join(f"{path} = {value!r}" for path, value in choices.items())
        text += f" That is so with {names}: give it a condition (when = ...) in [space]."
    return text


def _starts(loc: Location, path: str, recipe: Mapping[str, Any]) -> bool:
    """Whether the location is the first step of the searched path, which the fixed settings have not got."""
    return len(loc) == 1 and loc[0] == path.partition(".")[0] and loc[0] not in recipe


def _names(loc: Location, path: str) -> bool:
    """Whether the location of an error, tags and all, is the searched path or inside it."""
    parts = path.split(".")
    rest = iter(loc)
    return all(any(part == step for step in rest) for part in parts)


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


def _problem(detail: Any, models: list[type[BaseModel]], where: str, *, show_value: bool = True) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    key = str(detail["loc"][-1]) if detail["loc"] else ""
    value = detail["input"]
    if kind == "extra_forbidden":
        known = {name for model in models for name in model.model_fields}
        if Float in models:
            known.add("choices")
        return f"{where}: unknown key {key!r}.{nearest(key, known)}"
    if kind == "missing":
        return f"{where}: is missing"
    if kind == "union_tag_invalid":
        tags = [tag.strip(" '") for tag in str(context["expected_tags"]).split(",")]
        known_tags = f" Known: {', '.join(sorted(tags))}."
        hint = nearest(str(context["tag"]), tags).replace(known_tags, "")
        return f"{where}: unknown name {context['tag']!r}.{hint}{known_tags}"
    if kind == "union_tag_not_found":
        return f"{where}: needs a name. Known: {', '.join(_names_of(models))}."
    if kind in _NO_TABLE:
        example = f'name = "{value}"' if value in _names_of(models) else "..."
        return f"{where}{f' = {value!r}' if show_value else ''}: should be a table, {{ {example} }}"
    problem = str(context["error"]) if kind == "value_error" else detail["msg"][0].lower() + detail["msg"][1:]
    if kind == "string_pattern_mismatch" and context.get("pattern") == DOTTED_PATH:
        problem = "should be module:name, as in 'my_package.my_module:MyClass'"
    if show_value and not isinstance(value, dict | list) and kind != "value_error":
        where = f"{where} = {value!r}"
    return f"{where}: {problem}" if where else problem


def _names_of(models: list[type[BaseModel]]) -> list[str]:
    return sorted(str(model.model_fields["name"].default) for model in models if "name" in model.model_fields)


def _models_at(model: type[BaseModel], loc: Location) -> list[type[BaseModel]]:
    """The models that may stand where `loc` points into; for an unknown key, those that might have had it."""
    models = [model]
    for step in loc:
        fields = [candidate.model_fields[str(step)] for candidate in models if str(step) in candidate.model_fields]
        if fields:
            models = [inner for field in fields for inner in _models_in(field.annotation)]
            continue
        tagged = [candidate for candidate in models if step in _tags(candidate)]
        models = tagged or models
    return models


def _tags(model: type[BaseModel]) -> tuple[str, ...]:
    name = model.model_fields.get("name")
    return (model.__name__.lower(), str(name.default) if name is not None else "")


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in typing.get_args(annotation) for model in _models_in(argument)]
