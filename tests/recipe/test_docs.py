"""Fields are described by the strings below them."""

from __future__ import annotations

from pydantic import create_model

from tunefast.recipe.docs import field_docs
from tunefast.recipe.part import Part
from tunefast.recipe.recipe import RECIPE, TrainingRecipe


class Upper(Part):
    """A part."""

    width: int = 1
    """How wide
    it is."""
    bare: int = 2


class Lower(Upper):
    """One below it."""

    width: int = 3
    height: int = 4
    """How high."""


def test_inherited() -> None:
    """A class has the descriptions of those above it, and only fields that are described have one."""
    assert field_docs(Lower) == {"width": "How wide\nit is.", "height": "How high."}
    properties = Lower.model_json_schema()["properties"]
    assert properties["height"]["description"] == "How high."
    assert "description" not in properties["bare"]


def test_without_source() -> None:
    """A class that was not read from a file has no descriptions, and that is all."""
    made = create_model("Made", __base__=Part, x=(int, ...))
    assert field_docs(made) == {}
    assert "x" in made.model_json_schema()["properties"]


def test_every_option_is_described() -> None:
    """The schema that editors show explains each setting of a recipe."""
    properties = RECIPE.json_schema()["$defs"][TrainingRecipe.__name__]["properties"]
    assert [name for name, field in properties.items() if not field.get("description")] == []
