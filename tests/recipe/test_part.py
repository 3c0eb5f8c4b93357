"""What all parts have in common."""

from __future__ import annotations

import pytest
from pydantic import Field, ValidationError

from tunefast.recipe.docs import field_docs
from tunefast.recipe.part import Part


class Sample(Part):
    """A part with one option of each type."""

    rate: float = 0.5
    """Documented."""
    count: int = Field(1, ge=1)
    word: str = "a"
    flag: bool = False


def test_frozen() -> None:
    """A part cannot change under those who hold it."""
    with pytest.raises(ValidationError, match="frozen"):
        Sample().rate = 1.0  # type: ignore[misc]


def test_table_makes_an_equal_part() -> None:
    """What is written down reads back as the same part."""
    part = Sample(rate=0.25, count=3)
    assert Sample.model_validate(part.table()) == part


@pytest.mark.parametrize(
    "options",
    [{"rate": "0.5"}, {"rate": True}, {"count": 1.0}, {"count": True}, {"word": 1}, {"flag": 1}, {"flag": "true"}],
)
def test_values_are_not_converted(options: dict[str, object]) -> None:
    """A string is no number, a float no integer, a number no switch."""
    with pytest.raises(ValidationError):
        Sample.model_validate(options)


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), float("-inf")])
def test_numbers_are_finite(rate: float) -> None:
    """NaN and infinity are no settings."""
    with pytest.raises(ValidationError, match="finite"):
        Sample(rate=rate)


def test_whole_number_for_a_real_one() -> None:
    """``rate = 1`` in a file means 1.0."""
    rate = Sample.model_validate({"rate": 1}).rate
    assert rate == 1.0
    assert isinstance(rate, float)


def test_unknown_option() -> None:
    """An option that does not exist is refused rather than ignored."""
    with pytest.raises(ValidationError, match="rat"):
        Sample.model_validate({"rat": 0.5})


def test_docstrings_describe_options() -> None:
    """The text under a field is what `tunefast explain` and editors show."""
    assert field_docs(Sample)["rate"] == "Documented."
