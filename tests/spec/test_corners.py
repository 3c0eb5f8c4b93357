"""Corners, ends and combinations of choices of a space."""

from __future__ import annotations

import itertools
import random
from typing import Any

from hypothesis import given

from tests.spec.specs import consistent, spaces
from tunefast.spec.corners import choice_cells, corners, ends, random_params
from tunefast.spec.domains import Choice, DomainPart, Float, Int
from tunefast.spec.space import ordered


@given(spaces())
def test_corners(space: dict[str, DomainPart]) -> None:
    """Corners satisfy the conditions, and every setting that can be searched takes each of its extreme values."""
    found = list(corners(space))
    assert found
    assert all(consistent(space, params) for params in found)
    searched = {path for path in space if _reachable(space, path)}
    for path in searched:
        assert {params[path] for params in found if path in params} == set(space[path].corners())


def _reachable(space: dict[str, DomainPart], path: str) -> bool:
    """Whether some combination of extreme values meets the conditions of `path` and of those before it."""
    order = ordered(space)
    for values in itertools.product(*(space[other].corners() for other in order)):
        params: dict[str, Any] = {}
        for other, value in zip(order, values, strict=True):
            if space[other].holds(params):
                params[other] = value
        if path in params:
            return True
    return False


@given(spaces())
def test_ends(space: dict[str, DomainPart]) -> None:
    """Each number that can be searched stands at either end, and where conditions allow it, all stand high together."""
    found = list(ends(space))
    assert all(consistent(space, params) for params in found)
    numbers = [path for path, domain in space.items() if not isinstance(domain, Choice)]
    for path in numbers:
        if _reachable(space, path):
            assert {params[path] for params in found if path in params} >= set(space[path].corners())
    if numbers and not any(domain.when for domain in space.values()):
        assert all(found[-1][path] == space[path].corners()[-1] for path in numbers)


@given(spaces())
def test_choice_cells(space: dict[str, DomainPart]) -> None:
    """Cells are combinations that trials can have, at least as many as asked for, and their weights sum to 1."""
    cells = choice_cells(space, random.Random(0), least=3, most=50)
    assert all(consistent(space, cell.params) for cell in cells)
    assert 3 <= len(cells) <= 50 + 3
    assert abs(sum(cell.weight for cell in cells) - 1) < 1e-9


def test_every_combination_of_choices() -> None:
    """Each combination stands there once, and one that half of all trials have weighs a half."""
    space: dict[str, DomainPart] = {
        "optimizer.name": Choice(choices=["sgd", "adam"]),
        "optimizer.nesterov": Choice(choices=[True, False], when={"optimizer.name": "sgd"}),
        "optimizer.lr": Float(low=0.001, high=0.1, log=True),
    }
    cells = choice_cells(space, random.Random(0), least=1, most=50)
    found = {(cell.params["optimizer.name"], cell.params.get("optimizer.nesterov")): cell.weight for cell in cells}
    assert found == {("sgd", True): 0.25, ("sgd", False): 0.25, ("adam", None): 0.5}


def test_choices_behind_a_number() -> None:
    """Choices whose condition is a single value of a number stand in a cell too, whatever is drawn."""
    space: dict[str, DomainPart] = {
        "params.n": Int(low=1, high=1000),
        "params.k": Choice(choices=["a", "b", "c"], when={"params.n": 1}),
    }
    for seed in range(20):
        cells = choice_cells(space, random.Random(seed), least=1, most=50)
        assert {cell.params.get("params.k") for cell in cells} >= {"a", "b", "c"}


def test_too_many_combinations() -> None:
    """Random draws stand for more combinations than are wanted."""
    space: dict[str, DomainPart] = {f"params.{name}": Choice(choices=list(range(10))) for name in "abcd"}
    cells = choice_cells(space, random.Random(0), least=1, most=64)
    assert len(cells) == 64
    assert len({tuple(cell.params.values()) for cell in cells}) > 60


@given(spaces())
def test_random_params(space: dict[str, DomainPart]) -> None:
    """A random draw is one that a trial can have."""
    assert consistent(space, random_params(space, random.Random(1)))


def test_draws_cover_their_domain() -> None:
    """A logarithmic domain is drawn from evenly in the logarithm, whole numbers and steps to both ends."""
    rng = random.Random(0)
    log = [Float(low=1e-4, high=1.0, log=True).draw(rng) for _ in range(1000)]
    assert 400 < sum(value < 1e-2 for value in log if isinstance(value, float)) < 600
    assert {Int(low=1, high=3).draw(rng) for _ in range(100)} == {1, 2, 3}
    assert {Int(low=1, high=4, log=True).draw(rng) for _ in range(100)} == {1, 2, 3, 4}
    assert {Int(low=2, high=8, step=3).draw(rng) for _ in range(100)} == {2, 5, 8}
    assert {Float(low=0.0, high=0.3, step=0.1).draw(rng) for _ in range(100)} == {0.0, 0.1, 0.2, 0.3}
