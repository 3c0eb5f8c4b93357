"""The JSON Schema of a spec, for editors and for `tunefast schema`."""

from __future__ import annotations

from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema

from tunefast.recipe.recipe import RECIPE

_ALWAYS_THERE = {"ObjectiveRecipe": "objective", "CommandRecipe": "command"}
"""What tells these recipes from tunefast's own, by the names of their models."""


def recipe_schema() -> dict[str, Any]:
    """The schema of ``[recipe]``: as a recipe's, but nothing is required, since any setting may be searched instead."""
    schema: dict[str, Any] = _relaxed(RECIPE.json_schema())
    definitions = schema.pop("$defs", {})
    for model, key in _ALWAYS_THERE.items():
        definitions[model]["required"] = [key]
    inlined: dict[str, Any] = _inlined(schema, definitions)
    return inlined


class RecipeTable:
    """Marks a table that is to have `recipe_schema`, which is not made before somebody asks for it."""

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The recipe's schema."""
        return recipe_schema()


class AnyOf:
    """Marks a union whose alternatives may match together, as a whole number is a real number too."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The union's schema with ``anyOf`` for ``oneOf``."""
        schema: dict[str, Any] = handler(core_schema)
        schema["anyOf"] = schema.pop("oneOf")
        return schema


def _relaxed(node: Any) -> Any:
    if isinstance(node, list):
        return [_relaxed(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _relaxed(value) for key, value in node.items() if key not in ("required", "discriminator")}
    if "oneOf" in kept:
        kept["anyOf"] = kept.pop("oneOf")
    return kept


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str):
        return _inlined(definitions[reference.rsplit("/", 1)[-1]], definitions)
    return {key: _inlined(value, definitions) for key, value in node.items()}
