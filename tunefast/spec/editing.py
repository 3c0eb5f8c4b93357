"""Editing: a stored spec with another space and budget, such that the trials there are still belong to it."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

from tunefast.errors import SpecError, nearest
from tunefast.spec.domains import Choice, DomainPart, Interval
from tunefast.spec.load import parse_spec
from tunefast.spec.sections import Budget, TrialSection
from tunefast.spec.study import StudySpec

LIMITS: dict[str, type[Budget | TrialSection]] = {"budget": Budget, "trial": TrialSection}
SECTIONS = ("space", "budget", "trial")


def edited(spec: StudySpec, changes: Mapping[str, Any]) -> StudySpec:
    """The spec with each value of `changes` at its path: ``space.optimizer.lr.high``, ``budget.trials``.

    Intervals may be narrowed and widened, and choices added. Raises `SpecError` for a path that cannot be changed, and
    for what makes no spec.
    """
    name = f"study {spec.study.name!r}"
    table = copy.deepcopy(spec.model_dump(mode="json"))
    for path, value in changes.items():
        section, _, rest = path.partition(".")
        if section == "budget" and rest in Budget.model_fields:
            table["budget"][rest] = None if value == "none" else value
        elif section == "trial" and rest in TrialSection.model_fields:
            table["trial"][rest] = None if value == "none" else value
        elif section == "space" and rest:
            _set(table["space"], spec, rest, value, f"{name}, {path} = {value!r}")
        else:
            known = [f"{name}.{field}" for name, kind in LIMITS.items() for field in kind.model_fields]
            known += [f"space.{path}" for path in spec.space]
            hint = nearest(path, known) if section in SECTIONS else " Only [space], [budget] and [trial] can change."
            raise SpecError(where=name, problem=f"{path!r} cannot be changed.{hint}")
    changed = parse_spec(table, name)
    for path, domain in spec.space.items():
        try:
            _check_same_kind(domain, changed.space[path])
        except ValueError as error:
            raise SpecError(where=name, problem=f'[space] "{path}": {error}') from error
    return changed


def _set(space: dict[str, Any], spec: StudySpec, path: str, value: Any, where: str) -> None:
    """Set a domain, or one of its keys."""
    owner = max((known for known in space if path == known or path.startswith(f"{known}.")), key=len, default=None)
    if owner is None:
        raise SpecError(where=where, problem=f"{path!r} is not searched.{nearest(path, spec.space)}")
    key = path[len(owner) + 1 :]
    if not key:
        if not isinstance(value, dict):
            raise SpecError(where=where, problem="should be a table, as in { low = 0.1, high = 1.0 }")
        space[owner] = value
        return
    fields = type(spec.space[owner]).model_fields
    if key not in fields:
        raise SpecError(where=where, problem=f"unknown key {key!r}.{nearest(key, fields)}")
    space[owner][key] = value


def _check_same_kind(old: DomainPart, new: DomainPart) -> None:
    """Raise `ValueError` where values that trials have would not be values of the same setting any more."""
    if type(old) is not type(new):
        kinds = {"Float": "real numbers", "Int": "whole numbers", "Choice": "choices"}
        raise ValueError(f"was {kinds[type(old).__name__]} and cannot become {kinds[type(new).__name__]}")
    if old.when != new.when:
        raise ValueError("its conditions cannot change")
    if isinstance(old, Choice) and isinstance(new, Choice):
        gone = [label for label in old.labels if label not in new.labels or old.value(label) != new.value(label)]
        if gone:
            raise ValueError(f"{gone[0]!r} cannot be taken away or changed, since trials may have it; add others")
        if new.labels[: len(old.labels)] != old.labels:
            raise ValueError(f"the choices there are come first, as they stand: {old.labels}")
    if isinstance(old, Interval) and isinstance(new, Interval):
        if old.log != new.log or old.step != new.step:
            raise ValueError("log and step cannot change")
        steps = (new.low - old.low) / (old.step or 1)
        if (old.step or isinstance(old.low, int)) and not math.isclose(steps, round(steps), abs_tol=1e-8):
            raise ValueError(f"low = {new.low:g} is no multiple of the step {old.step:g} away from {old.low:g}")


def difference(old: StudySpec, new: StudySpec) -> dict[str, tuple[Any, Any]]:
    """What an edit changed: path -> value before and after."""
    found: dict[str, tuple[Any, Any]] = {}
    for section, kind in LIMITS.items():
        for field in kind.model_fields:
            pair = getattr(getattr(old, section), field), getattr(getattr(new, section), field)
            if pair[0] != pair[1]:
                found[f"{section}.{field}"] = pair
    for path, domain in new.space.items():
        before, after = old.space[path].model_dump(mode="json"), domain.model_dump(mode="json")
        for key in after:
            if before[key] != after[key]:
                found[f"space.{path}.{key}"] = before[key], after[key]
    return found
