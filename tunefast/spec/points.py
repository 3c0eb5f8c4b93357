"""Points to try first: settings that somebody believes in, or the best of another study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from tunefast.errors import nearest
from tunefast.recipe.part import Part
from tunefast.spec.domains import Choice, DomainPart, Interval, Scalar
from tunefast.spec.space import Space

Point = dict[str, Scalar]
"""Settings by their paths; those that are left out are the sampler's choice."""


class FromStudy(Part):
    """The best trials of another study, which may be stock Optuna's, as points to try first."""

    from_study: str = Field(min_length=1)
    """Its name."""
    best: int = Field(3, ge=1)
    """How many of its complete trials, the best ones, of those that lie in this study's space.

    What they do not have of it the sampler chooses.
    """
    storage: str | None = None
    """Its database's URL; by default the database of this study."""
    map: dict[str, str] = Field(default_factory=dict)
    """Names of its settings -> what they are called here, ``{ lr = "optimizer.lr" }``."""


def check_points(points: Sequence[Point | FromStudy], space: Space, *, trials: int | None) -> None:
    """Raise `ValueError` for a point that no trial of the space could have, or more points than trials."""
    for index, point in enumerate(points):
        where = f"enqueue[{index}]"
        if isinstance(point, FromStudy):
            _check_map(point.map, space, f"{where}.map")
        else:
            _check_point(point, space, where)
    if trials is not None and len(points) > trials:
        raise ValueError(f"enqueue: {len(points)} points to try first, but budget.trials = {trials}")


def _check_map(renamed: Mapping[str, str], space: Space, where: str) -> None:
    for old, new in renamed.items():
        if new not in space:
            raise ValueError(f"{where}: {old} = {new!r}: {new!r} is not searched.{nearest(new, space)}")


def _check_point(point: Mapping[str, Scalar], space: Space, where: str) -> None:
    if not point:
        raise ValueError(f"{where}: is empty; give a value for at least one searched setting")
    for path, value in point.items():
        if path not in space:
            raise ValueError(f"{where}: {path!r} is not searched.{nearest(path, space)}")
        domain = space[path]
        if not domain.contains(value):
            raise ValueError(f"{where}: {path} = {value!r} is {_problem(domain, value)}")
        for parent, wanted in domain.when.items():
            if point.get(parent) not in (wanted if isinstance(wanted, list) else [wanted]):
                raise ValueError(
                    f"{where}: {path} is searched only where {parent} = {wanted!r}, which is to be given too"
                )


def _problem(domain: DomainPart, value: Scalar) -> str:
    if isinstance(domain, Choice):
        return f"not in its domain, {domain.labels}"
    if isinstance(domain, Interval) and not domain.spans(value):
        return f"not in its domain, {domain.low:g} to {domain.high:g}"
    return "none of its domain's values, which are integers or steps"
