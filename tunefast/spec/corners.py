"""Corners: the parameter sets that show whether a space holds what it promises, and what its trials cost."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping
from itertools import islice, product
from typing import NamedTuple

from tunefast.spec.domains import Choice, DomainPart, Params, Scalar
from tunefast.spec.space import ordered


def corners(space: Mapping[str, DomainPart], paths: Collection[str] | None = None) -> Iterator[dict[str, Scalar]]:
    """Parameter sets in which each domain in turn takes each of its extreme values, its conditions being met.

    With `paths` only those domains do.
    """
    order = ordered(space)
    for path in order if paths is None else [path for path in order if path in paths]:
        for value in space[path].corners():
            ways = ({**conditions, path: value} for conditions in _conditions(space, path))
            candidates = (_completed(space, order, wanted) for wanted in ways)
            yield from islice((params for params in candidates if params.get(path) == value), 1)
    if not space:
        yield {}


def _completed(space: Mapping[str, DomainPart], order: list[str], wanted: Params) -> dict[str, Scalar]:
    """A parameter set with the wanted values, and the first extreme value where none is wanted."""
    params: dict[str, Scalar] = {}
    for path in order:
        if space[path].holds(params):
            params[path] = wanted.get(path, space[path].corners()[0])
    return params


def _conditions(space: Mapping[str, DomainPart], path: str) -> Iterator[dict[str, Scalar]]:
    """The ways in which the conditions of `path`, and of the settings they name, may be met.

    Some contradict themselves: two conditions may want different values of one setting.
    """
    when = space[path].when
    for values in product(*(wanted if isinstance(wanted, list) else [wanted] for wanted in when.values())):
        for above in product(*(list(_conditions(space, parent)) for parent in when)):
            wanted = {other: value for conditions in above for other, value in conditions.items()}
            yield {**wanted, **dict(zip(when, values, strict=True))}


class Cell(NamedTuple):
    """One combination of choices, with numbers drawn at random."""

    params: dict[str, Scalar]
    weight: float
    """How likely a random trial is to have these choices; the weights of all cells sum to 1."""


def choice_cells(space: Mapping[str, DomainPart], rng: random.Random, least: int, most: int) -> list[Cell]:
    """Every combination of choices whose conditions hold, each with numbers of its own, drawn by `rng`.

    Where there are fewer than `least`, each stands there several times, with other numbers; where there are more than
    `most`, so many random draws stand for them.
    """
    cells = list(islice(_choice_cells(space, ordered(space), {}, 1.0, rng), most + 1))
    if len(cells) > most:
        return [Cell(random_params(space, rng), 1 / most) for _ in range(most)]
    times = -(-least // len(cells))
    total = times * sum(cell.weight for cell in cells)
    fixed = {path for path, domain in space.items() if isinstance(domain, Choice)}.union(*_deciding(space))
    return [
        Cell(random_params(space, rng, {path: cell.params[path] for path in fixed if path in cell.params}), weight)
        for cell in cells
        for weight in [cell.weight / total] * times
    ]


def random_params(
    space: Mapping[str, DomainPart], rng: random.Random, fixed: Params | None = None
) -> dict[str, Scalar]:
    """What a sampler that knows nothing would choose, but for settings that are `fixed`."""
    known = fixed or {}
    params: dict[str, Scalar] = {}
    for path in ordered(space):
        if space[path].holds(params):
            params[path] = known[path] if path in known else space[path].draw(rng)
    return params


def ends(space: Mapping[str, DomainPart]) -> Iterator[dict[str, Scalar]]:
    """Parameter sets in which each number in turn stands at either end, the others at their low one; then all high."""
    numbers = [path for path, domain in space.items() if not isinstance(domain, Choice)]
    yield from corners(space, numbers)
    if numbers:
        highs = {path: space[path].corners()[-1] for path in numbers}
        yield _completed(space, ordered(space), highs)


def _choice_cells(
    space: Mapping[str, DomainPart], paths: list[str], chosen: dict[str, Scalar], weight: float, rng: random.Random
) -> Iterator[Cell]:
    if not paths:
        yield Cell(dict(chosen), weight)
        return
    path, *rest = paths
    domain = space[path]
    if not domain.holds(chosen):
        yield from _choice_cells(space, rest, chosen, weight, rng)
        return
    values = domain.labels if isinstance(domain, Choice) else _branches(space, path, rng)
    for value in values:
        yield from _choice_cells(space, rest, {**chosen, path: value}, weight / len(values), rng)


def _deciding(space: Mapping[str, DomainPart]) -> list[set[str]]:
    """The settings that conditions of each domain name."""
    return [set(domain.when) for domain in space.values()]


def _branches(space: Mapping[str, DomainPart], path: str, rng: random.Random) -> list[Scalar]:
    """The values of a number that conditions name, so that each of them is met once, and one at random."""
    named = [domain.when[path] for domain in space.values() if path in domain.when]
    values = [value for wanted in named for value in (wanted if isinstance(wanted, list) else [wanted])]
    return list(dict.fromkeys([*values, space[path].draw(rng)]))
