"""What every part of every kind keeps to."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tests.conformance.parts import ALL_PARTS, SINGLES, UNIONS, parts_of
from tunefast.recipe.docs import field_docs
from tunefast.recipe.part import Part
from tunefast.recipe.recipe import TrainingRecipe

each_named = pytest.mark.parametrize(("kind", "part"), ALL_PARTS, ids=lambda value: getattr(value, "__name__", value))
each_part = pytest.mark.parametrize("part", [part for _, part in ALL_PARTS] + list(SINGLES.values()))


@each_named
def test_chosen_by_name(kind: str, part: type[Part]) -> None:
    """A part can be chosen by its name alone."""
    made = part()
    adapter: TypeAdapter[Any] = TypeAdapter(UNIONS[kind])
    assert adapter.validate_python({"name": made.table()["name"]}) == made


@each_part
def test_has_defaults(part: type[Part]) -> None:
    """Every option has a default that is valid, and a table of them makes an equal part."""
    made = part()
    assert part.model_validate(made.table()) == made
    assert part.model_validate_json(made.model_dump_json()) == made


@each_part
def test_frozen(part: type[Part]) -> None:
    """No option can change once a part is made, so it can be shared and be a key."""
    made = part()
    for option in part.model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(made, option, None)
    assert hash(made) == hash(part())


@each_named
def test_round_trip(kind: str, part: type[Part]) -> None:
    """A part's table, and its JSON, make an equal part through the union."""
    made = part()
    adapter: TypeAdapter[Any] = TypeAdapter(UNIONS[kind])
    assert adapter.validate_python(made.table()) == made
    assert adapter.validate_json(adapter.dump_json(made)) == made


@each_part
def test_documented(part: type[Part]) -> None:
    """The class says what it is, and every option says what it does: `tunefast explain` shows nothing else."""
    assert part.__doc__
    assert part.__doc__ != Part.__doc__
    described = field_docs(part)
    for option in part.model_fields:
        assert described.get(option) or option == "name", f"{part.__name__}.{option} has no docstring"


@each_part
def test_refuses_unknown_options(part: type[Part]) -> None:
    """A mistyped option is refused."""
    with pytest.raises(ValidationError, match="Extra inputs"):
        part.model_validate({"no_such_option": 1})


def test_every_table_of_a_recipe_is_covered() -> None:
    """A part that is added to the recipe keeps to this contract too."""
    annotations = {field: str(info.annotation) for field, info in TrainingRecipe.model_fields.items()}
    tables = {field for field, text in annotations.items() if "tunefast.recipe" in text}
    assert tables <= UNIONS.keys() | SINGLES.keys()


@pytest.mark.parametrize("kind", UNIONS)
def test_names(kind: str) -> None:
    """Each part of a kind has one name of its own, in small letters."""
    names = [part().table()["name"] for part in parts_of(kind)]
    assert len(set(names)) == len(names)
    assert all(name == name.lower() and name.isidentifier() for name in names)


@pytest.mark.parametrize("kind", UNIONS)
def test_unknown_name(kind: str) -> None:
    """A name that no part has is refused with those that there are."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(UNIONS[kind]).validate_python({"name": "no_such_part"})
    assert all(part().table()["name"] in str(caught.value) for part in parts_of(kind))
