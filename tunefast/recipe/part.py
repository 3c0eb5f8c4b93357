"""What every piece of a recipe has in common."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from tunefast.recipe.docs import field_docs


class Part(BaseModel):
    """A frozen, checked piece of a recipe: its fields are its options.

    Parts of one kind form a union discriminated by their ``name``; that union is the registry of the kind. Values are
    checked strictly: a string is no number, a float no integer, and NaN or infinity are no settings.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The model's schema, its fields described by their docstrings."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in field_docs(cls).items():
            if name in properties:
                properties[name].setdefault("description", text)
        return schema

    def table(self) -> dict[str, Any]:
        """The part as plain JSON data, from which `model_validate` makes an equal part."""
        return self.model_dump(mode="json")
