"""Where a search starts: from the recipe as its author wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunefast.spec.domains import Choice, DomainPart, Scalar
from tunefast.spec.space import ordered
from tunefast.spec.study import StudySpec


def written_params(spec: StudySpec) -> dict[str, Scalar]:
    """What the recipe itself says of the settings that are searched; where it says nothing, their domains' middles.

    Empty where these make no recipe.
    """
    params: dict[str, Scalar] = {}
    for path in ordered(spec.space):
        if spec.space[path].holds(params):
            params[path] = _written(spec.recipe, path, spec.space[path])
    try:
        spec.recipe_for(params)
    except ValueError:
        return {}
    return params


def _written(recipe: Mapping[str, Any], path: str, domain: DomainPart) -> Scalar:
    """What stands in the recipe at `path`, as a sampler would choose it; else the domain's middle."""
    value: Any = recipe
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(domain, Choice):
        label = domain.label_of(value)
        return domain.middle() if label is None else label
    return value if isinstance(value, int | float) and domain.contains(value) else domain.middle()
