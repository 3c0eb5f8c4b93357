"""What every piece of a recipe has in common."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A frozen, checked piece of a recipe: its fields are its options.

    Parts of one kind form a union discriminated by their ``name``; that union is the registry of the kind. Values are
    checked strictly: a string is no number, a float no integer, and NaN or infinity are no settings.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    def table(self) -> dict[str, Any]:
        """The part as plain JSON data, from which `model_validate` makes an equal part."""
        return self.model_dump(mode="json")
