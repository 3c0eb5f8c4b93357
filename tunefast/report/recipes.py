"""Recipes in short: every part by its name, with the options that are not what they are when left out."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from tunefast.recipe.part import Part
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.report.phrases import setting

FIRST = ("model", "data", "loss", "optimizer", "schedule", "batch_size", "accumulation_steps", "precision", "epochs")
"""What people look for; the rest follows in the order of the recipe."""
NO_BREAK, WIDTH = "\N{NO-BREAK SPACE}", 76


def in_short(recipe: TrainingRecipe) -> list[str]:
    """A recipe, a few words a field; parts that are left out or do nothing are not there, nor is the seed."""
    fields = [*FIRST, *(name for name in type(recipe).model_fields if name not in (*FIRST, "seed"))]
    said = ((name, _value(getattr(recipe, name))) for name in fields)
    return [f"{name}{text}" if text.startswith("(") else f"{name} {text}" for name, text in said if text]


def lines_of(words: Sequence[str]) -> list[str]:
    """What `in_short` says in lines that fit into a terminal, no field broken where one line holds it."""
    whole = "; ".join(word.replace(" ", NO_BREAK) for word in words)
    lines = textwrap.wrap(whole, WIDTH, break_long_words=False, break_on_hyphens=False)
    return [line.replace(NO_BREAK, " ") for line in lines]


def _value(value: Any) -> str:
    """A field's value; empty where it says nothing."""
    if isinstance(value, Part):
        return _part(value)
    if isinstance(value, tuple):
        return ", ".join(_value(each) for each in value)
    return "" if value is None or value is False else setting(value)


def _part(part: Part) -> str:
    fields = type(part).model_fields
    given = {name: value for name in fields if (value := getattr(part, name)) != fields[name].default}
    name = given.pop("name", getattr(part, "name", ""))
    options = ", ".join(f"{option}={_value(value) or setting(value)}" for option, value in given.items())
    return f"{name}({options})" if options else str(name)
