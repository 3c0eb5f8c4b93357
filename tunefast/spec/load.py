"""A spec file -> a checked StudySpec, or one message that names file, key, value and what would be valid."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tunefast.errors import SpecError, nearest
from tunefast.recipe.metrics import applies
from tunefast.recipe.recipe import AnyRecipe, TrainingRecipe
from tunefast.spec.costs import RACES
from tunefast.spec.domains import Int
from tunefast.spec.mistakes import mistakes_of, mistakes_of_fixed, mistakes_of_recipe, told
from tunefast.spec.study import StudySpec
from tunefast.spec.unreachable import below_zero, never_met, out_of_range

_PLACE = re.compile(r"Invalid value \(at line (\d+), column (\d+)\)")
"""Where TOML has found no value."""
_WORD = re.compile(r"[A-Za-z_][\w./:-]*")


def load_spec(path: str | Path, name: str | None = None, *, single: bool = False) -> StudySpec:
    """Read and check the spec in the TOML file `path`; `name` replaces the study's, which defaults to the file's.

    With `single` a file that says nothing of a budget has one of a single trial.

    Every corner of the space is built into a recipe, so a choice that makes none is refused here and not in the tenth
    trial. Raises `SpecError`.
    """
    path = Path(path)
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(where=path, problem=f"cannot be read ({getattr(error, 'strerror', None) or error})") from error
    except tomllib.TOMLDecodeError as error:
        raise SpecError(where=path, problem=f"is not valid TOML: {error}{_unquoted(error, text)}") from error
    study = table.setdefault("study", {})
    if isinstance(study, dict) and (name is not None or "name" not in study):
        study["name"] = name if name is not None else path.stem
    if single:
        table.setdefault("budget", {"trials": 1})
    return parse_spec(table, str(path))


def _unquoted(error: tomllib.TOMLDecodeError, text: str) -> str:
    """That text needs quotes, where a word stands at the place of the error; else nothing."""
    place = _PLACE.search(str(error))
    if place is None:
        return ""
    line, column = int(place[1]), int(place[2])
    word = _WORD.match(text.split("\n")[line - 1], column - 1)
    if word is None:
        return ""
    if word[0] in ("True", "False"):
        return f": it is written {word[0].lower()}"
    return f': text needs quotes, "{word[0]}"'


def parse_spec(table: Mapping[str, Any], where: str = "spec") -> StudySpec:
    """A spec from plain data, checked as `load_spec` does. Raises `SpecError`, whose message begins with `where`."""
    try:
        spec = StudySpec.model_validate(table)
    except ValidationError as error:
        raise SpecError(where=where, problem=told([*mistakes_of(error, table), *_recipe_too(error, table)])) from error
    _refuse(never_met(spec) or below_zero(spec), where)
    searched: set[str] = set()
    for params in spec.samples():
        searched |= params.keys()
        try:
            recipe = spec.recipe_for(params)
        except ValidationError as error:
            raise SpecError(where=where, problem=told(mistakes_of_recipe(error, spec, params))) from error
        except ValueError as error:
            raise SpecError(where=where, problem=f"[space] {error}") from error
        if isinstance(recipe, TrainingRecipe):
            _check_metric(spec, recipe, where)
            _refuse(out_of_range(spec, recipe), where)
        _check_whole_numbers(spec, recipe, params, where)
    for path in spec.space.keys() - searched:
        raise SpecError(where=where, problem=f'[space] "{path}": its conditions can never hold together')
    return spec


def _recipe_too(error: ValidationError, table: Mapping[str, Any]) -> list[str]:
    """Mistakes in the recipe and what is searched of it, where `error` is about other sections."""
    if any(detail["loc"][:1] == ("recipe",) for detail in error.errors()):
        return []
    alone = {section: table[section] for section in ("recipe", "space") if section in table}
    try:
        spec = StudySpec.model_validate({"study": {"name": "spec"}, "budget": {"trials": 1}, **alone})
    except ValidationError:
        return mistakes_of_fixed(table.get("recipe"), table.get("space", {}))
    for params in spec.samples():
        try:
            spec.recipe_for(params)
        except ValidationError as found:
            return mistakes_of_recipe(found, spec, params)
        except ValueError as found:
            return [f"[space] {found}"]
    return []


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


def _refuse(found: str | None, where: str) -> None:
    """Raise `SpecError` where a problem was found."""
    if found is not None:
        raise SpecError(where=where, problem=found)


def _check_metric(spec: StudySpec, recipe: TrainingRecipe, where: str) -> None:
    missing = next((name for name in spec.reported_metrics if name not in recipe.reported_metrics), None)
    if missing is None:
        return
    if missing in RACES and spec.study.target is None:
        alone = ", and no other metrics beside it" if spec.study.has_several else ""
        needed = f'needs target = {{ metric = "val_accuracy", value = ... }}{alone}'
        raise SpecError(where=where, problem=f"[study] metric = {missing!r}: {needed}")
    name = missing.removeprefix("val_")
    if any(applies(name, kind) for kind in recipe.loss.kinds):
        hint = f" With metrics = [{name!r}] in [recipe] it is, as {f'val_{name}'!r}."
    else:
        hint = nearest(missing, recipe.reported_metrics)
    loss = f"the loss {recipe.loss.name!r}, which is for {recipe.loss.kinds[0]}"
    problem = f"not reported by a training with {loss}.{hint}"
    compared = "target.metric" if spec.study.target is not None else "pruner.metric"
    key = "metric" if missing in spec.study.metrics else compared
    place = f"[constraints] {missing!r}" if missing in spec.constraints else f"[study] {key} = {missing!r}"
    raise SpecError(where=where, problem=f"{place}: {problem}")
