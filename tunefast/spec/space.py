"""Space: which settings of the recipe are searched, and over which domain."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from tunefast.spec.domains import Domain, DomainPart, Params, Scalar

Space = dict[str, Domain]
"""A path into the recipe -> a domain."""


def ordered(space: Mapping[str, DomainPart]) -> list[str]:
    """The paths of `space`, each after those its conditions name; raises `ValueError` where that goes in a circle."""
    order: list[str] = []
    waiting = list(space)
    while waiting:
        ready = [path for path in waiting if all(parent in order for parent in space[path].when)]
        if not ready:
            raise ValueError(f"conditions go in a circle: {', '.join(sorted(waiting))}")
        order += ready
        waiting = [path for path in waiting if path not in ready]
    return order


def apply(recipe: Mapping[str, Any], space: Mapping[str, DomainPart], params: Params) -> dict[str, Any]:
    """The recipe table with each chosen value put in at its path.

    A whole part goes in before its own options, so ``optimizer`` and ``optimizer.lr`` can be searched together.
    """
    table = copy.deepcopy(dict(recipe))
    for path in sorted(params, key=lambda path: path.count(".")):
        *parents, leaf = path.split(".")
        target = table
        for parent in parents:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                raise ValueError(f"{parent!r} in {path!r} is no table")  # noqa: TRY004 - the value of a setting
        value = space[path].value(params[path])
        if isinstance(value, dict) and isinstance(target.get(leaf), dict):
            value = {**target[leaf], **value}
        target[leaf] = value
    return table


def cells(space: Mapping[str, DomainPart]) -> Iterator[dict[str, Scalar]]:
    """Every combination of values whose conditions hold, each once, in the order of the space.

    Raises `ValueError` where a domain has no end of values.
    """
    yield from _cells(space, ordered(space), {})


def _cells(space: Mapping[str, DomainPart], paths: list[str], chosen: dict[str, Scalar]) -> Iterator[dict[str, Scalar]]:
    if not paths:
        yield dict(chosen)
        return
    path, *rest = paths
    domain = space[path]
    if not domain.holds(chosen):
        yield from _cells(space, rest, chosen)
        return
    values = domain.cells()
    if values is None:
        raise ValueError(f"{path!r} is a continuous domain")
    for value in values:
        yield from _cells(space, rest, {**chosen, path: value})
