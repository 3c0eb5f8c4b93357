"""Constraints: what is read as one, and by how much a value violates it."""

from __future__ import annotations

import operator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.store.databases import study_spec
from tunefast.errors import SpecError
from tunefast.spec.constraints import Bound
from tunefast.spec.load import parse_spec
from tunefast.spec.study import StudySpec

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)
SIGNS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@given(st.sampled_from(sorted(SIGNS)), NUMBERS, NUMBERS)
def test_it_holds_where_the_comparison_does(sign: str, value: float, bound: float) -> None:
    """The excess is above 0 exactly where the comparison that is written does not hold."""
    parsed = Bound.parse(f" {sign}{bound!r} ")
    assert (parsed.excess(value) > 0) == (not SIGNS[sign](value, bound))


@pytest.mark.parametrize("text", ["8e9", "= 3", "< many", "< nan", "< inf", "", "< 1 2"])
def test_no_bound(text: str) -> None:
    """What is no bound is refused, with an example of one."""
    with pytest.raises(ValidationError, match='give one like "< 8e9"'):
        constrained({"val_loss": text})


def constrained(constraints: dict[str, str]) -> StudySpec:
    """A spec of an own objective with these constraints."""
    return StudySpec.model_validate({**study_spec().model_dump(), "constraints": constraints})


def test_only_what_is_reported_or_counted() -> None:
    """A study of tunefast's own training refuses a constraint on what nobody reports or counts."""
    table: dict[str, Any] = {
        "study": {"name": "a"},
        "budget": {"trials": 1},
        "recipe": {"data": {"name": "digits"}},
        "constraints": {"peak_memory_bytes": "< 8e9", "val_loss": "<= 0.5"},
    }
    assert parse_spec(table).reported_metrics == ["val_accuracy", "val_loss"]
    with pytest.raises(SpecError, match=r"\[constraints\] 'peak_memory': not reported"):
        parse_spec({**table, "constraints": {"peak_memory": "< 8e9"}})


def test_only_what_grows_is_final() -> None:
    """A cost that is above its bound stays there; a metric may still get better, and a lower bound be reached."""
    assert Bound.parse("< 3").is_final("num_parameters")
    assert not Bound.parse("< 3").is_final("val_loss")
    assert not Bound.parse("> 3").is_final("steps")
