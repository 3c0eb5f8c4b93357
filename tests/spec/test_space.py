"""Domains, conditions, corners and grids."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tests.spec.specs import consistent, spaces
from tunefast.spec.corners import corners
from tunefast.spec.domains import MAX_GRID_VALUES, Choice, Domain, DomainPart, Float, Int
from tunefast.spec.space import Space, apply, cells, ordered

DOMAIN: TypeAdapter[Domain] = TypeAdapter(Domain)
SPACE: TypeAdapter[Space] = TypeAdapter(Space)


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        ({"low": 1, "high": 4}, Int),
        ({"low": 1, "high": 4, "step": 3}, Int),
        ({"low": 1, "high": 4, "log": True}, Int),
        ({"low": 1.0, "high": 4}, Float),
        ({"low": 1, "high": 4, "step": 0.5}, Float),
        ({"low": 1e-4, "high": 1e-1, "log": True}, Float),
        ({"choices": [1, 2]}, Choice),
    ],
)
def test_kind_goes_by_the_values(table: dict[str, Any], kind: type[DomainPart]) -> None:
    """Whole bounds make a domain of whole numbers, any other bound one of real numbers."""
    assert type(DOMAIN.validate_python(table)) is kind


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"low": 4, "high": 2}, "low = 4 is greater than high = 2"),
        ({"low": 0.0, "high": 2.0, "log": True}, "log = true needs low > 0, and low = 0"),
        ({"low": -1, "high": 2, "log": True}, "log = true needs low > 0, and low = -1"),
        ({"low": 1, "high": 4, "step": 2}, "high = 4 is not reached in steps of 2; the last value would be 3"),
        ({"low": 0.1, "high": 0.45, "step": 0.1}, "high = 0.45 is not reached in steps of 0.1"),
        ({"low": 1.0, "high": 4.0, "step": 0.0}, "step = 0 must be greater than 0"),
        ({"low": 1, "high": 4, "step": 1, "log": True}, "log and step do not go together"),
        ({"choices": []}, "choices is empty"),
        ({"choices": [1, 2, 1]}, "choice 1 stands there twice"),
        ({"choices": [1, 1.0]}, "choice 1.0 stands there twice"),
        ({"choices": [1, True]}, "choice True stands there twice"),
        ({"choices": [{"name": "sgd"}, {"name": "sgd", "lr": 1.0}]}, "choice 'sgd' stands there twice"),
        ({"choices": [{"a": 1}]}, "a table without a name"),
        ({"choices": [[1, 2]]}, "choices"),
        ({"low": 1}, "high"),
        ({"choices": [1], "log": True}, "log"),
    ],
)
def test_refused(table: dict[str, Any], problem: str) -> None:
    """A domain that makes no sense is refused with the reason."""
    with pytest.raises(ValidationError) as caught:
        DOMAIN.validate_python(table)
    assert problem in str(caught.value)


def test_steps_hit_both_ends() -> None:
    """Steps are counted from the low end and end exactly at the high one, without the noise of binary fractions."""
    assert Float(low=0.1, high=0.7, step=0.1).cells() == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    assert Int(low=2, high=8, step=3).cells() == [2, 5, 8]


@pytest.mark.parametrize(
    ("domain", "num"),
    [
        (Float(low=0.0, high=1.0), None),
        (Float(low=1.0, high=1.0), 1),
        (Float(low=0.0, high=1.0, step=1e-6), None),
        (Int(low=1, high=MAX_GRID_VALUES), MAX_GRID_VALUES),
        (Int(low=0, high=MAX_GRID_VALUES), None),
        (Choice(choices=["a", "b"]), 2),
    ],
)
def test_number_of_values(domain: DomainPart, num: int | None) -> None:
    """A domain lists its values, or says that there are too many."""
    values = domain.cells()
    assert (None if values is None else len(values)) == num


def test_tables_have_labels() -> None:
    """A choice that is a table is known by its label, else its name, and stands in the recipe without the label."""
    domain = Choice(choices=["plain", {"name": "sgd", "lr": 0.1, "label": "fast"}, {"name": "adam"}])
    assert domain.labels == domain.corners() == domain.cells() == ["plain", "fast", "adam"]
    assert domain.value("fast") == {"name": "sgd", "lr": 0.1}
    assert domain.value("plain") == "plain"


def test_condition() -> None:
    """A setting is searched while each other setting has the value, or one of the values, asked for."""
    domain = Int(low=1, high=2, when={"a": "x", "b": [1, 2]})
    assert domain.holds({"a": "x", "b": 2})
    assert not domain.holds({"a": "x", "b": 3})
    assert not domain.holds({"a": "x"})


@given(spaces())
def test_parents_come_first(space: dict[str, DomainPart]) -> None:
    """Every setting stands once, after those that decide whether it is searched."""
    order = ordered(dict(reversed(space.items())))
    assert sorted(order) == sorted(space)
    assert all(order.index(parent) < order.index(path) for path in space for parent in space[path].when)


def test_conditions_in_a_circle() -> None:
    """Settings that wait for each other are named."""
    space = {"a": Int(low=1, high=2, when={"b": 1}), "b": Int(low=1, high=2, when={"a": 1}), "c": Int(low=1, high=2)}
    with pytest.raises(ValueError, match=r"conditions go in a circle: a, b$"):
        ordered(space)


@given(spaces(finite=True))
def test_cells_of_a_grid(space: dict[str, DomainPart]) -> None:
    """A grid has each combination of values once, only settings that are searched in it, and misses none."""
    found = list(cells(space))
    keys = [tuple(sorted((path, repr(value)) for path, value in params.items())) for params in found]
    assert len(set(keys)) == len(keys)
    assert all(consistent(space, params) for params in found)
    assert math.prod(len(domain.cells() or []) for domain in space.values()) >= len(found) >= 1
    if not any(domain.when for domain in space.values()):
        assert math.prod(len(domain.cells() or []) for domain in space.values()) == len(found)
    for corner in corners(space):
        assert corner in found


def test_grid_over_branches() -> None:
    """Settings of a branch that is not taken add no cells."""
    space: dict[str, DomainPart] = {
        "optimizer.momentum": Float(low=0.0, high=0.9, step=0.3, when={"optimizer.name": "sgd"}),
        "optimizer.name": Choice(choices=["sgd", "adam"]),
    }
    assert len(list(cells(space))) == 4 + 1


def test_no_grid_over_real_numbers() -> None:
    """A domain without an end of values has no cells."""
    with pytest.raises(ValueError, match="'lr' is a continuous domain"):
        list(cells({"lr": Float(low=0.0, high=1.0)}))


@given(spaces())
def test_apply_changes_nothing_it_is_given(space: dict[str, DomainPart]) -> None:
    """The recipe that all trials share stays as it is, and each chosen value stands at its path."""
    recipe = {"part0": {"fixed": [1, {"deep": 2}]}, "epochs": 3}
    before, space_before = copy.deepcopy(recipe), copy.deepcopy(space)
    for params in corners(space):
        table = apply(recipe, space, params)
        for path, value in params.items():
            part, option = path.split(".")
            assert table[part][option] == value
        assert table["part0"]["fixed"] == [1, {"deep": 2}]
        table["part0"]["fixed"].append("changed")
    assert (recipe, space) == (before, space_before)


def test_a_chosen_table_is_a_copy() -> None:
    """A trial that changes its recipe does not change the choice of the next."""
    domain = Choice(choices=[{"label": "a", "list": [1]}])
    domain.value("a")["list"].append(2)
    assert domain.value("a") == {"list": [1]}


def test_whole_part_and_its_options() -> None:
    """A chosen table replaces options of the fixed part, and a searched option replaces both."""
    space: dict[str, DomainPart] = {
        "optimizer.lr": Float(low=0.0, high=1.0),
        "optimizer": Choice(choices=[{"name": "sgd", "lr": 0.5, "momentum": 0.9}]),
    }
    recipe = {"optimizer": {"name": "adam", "weight_decay": 0.1}}
    assert apply(recipe, space, {"optimizer.lr": 0.25, "optimizer": "sgd"}) == {
        "optimizer": {"name": "sgd", "lr": 0.25, "momentum": 0.9, "weight_decay": 0.1}
    }


def test_path_through_a_value() -> None:
    """A path into what is no table is refused."""
    with pytest.raises(ValueError, match=r"'epochs' in 'epochs.x' is no table"):
        apply({"epochs": 3}, {"epochs.x": Int(low=1, high=2)}, {"epochs.x": 1})


@given(spaces())
def test_round_trip(space: dict[str, DomainPart]) -> None:
    """A space reads back from JSON as the same domains of the same kinds."""
    again = SPACE.validate_json(SPACE.dump_json(SPACE.validate_python(space)))
    assert again == space
    assert [type(domain) for domain in again.values()] == [type(domain) for domain in space.values()]


@given(st.integers(-5, 5), st.floats(-5, 5))
def test_contains(whole: int, real: float) -> None:
    """An interval contains the numbers between its ends, a choice its labels."""
    assert Int(low=-2, high=2).contains(whole) == (-2 <= whole <= 2)
    assert Float(low=-2, high=2).contains(real) == (-2 <= real <= 2)
    assert not Float(low=-2, high=2).contains("1")
    assert Choice(choices=["a", 1]).contains(whole) == (whole == 1)
