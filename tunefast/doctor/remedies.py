"""What may make a training faster: changes of its recipe, to be tried one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch

from tunefast.recipe.precision import resolve
from tunefast.recipe.recipe import TrainingRecipe

SAME, ROUNDED, OTHER = "same", "rounding alone", "another training"
"""What a remedy does to the result: nothing, its last bits, or more than that."""
BATCHES = (2, 4)
"""Times the batch that larger batches are."""


class Remedy(NamedTuple):
    """A change of a recipe."""

    name: str
    changes: Mapping[str, Any]
    """Path into the recipe -> value, as a spec would have it."""
    result: str
    """One of `SAME`, `ROUNDED` and `OTHER`."""

    def applied(self, recipe: TrainingRecipe) -> TrainingRecipe:
        """The recipe with the changes. Raises `pydantic.ValidationError` where it cannot take them."""
        table = recipe.table()
        for path, value in self.changes.items():
            *sections, last = path.split(".")
            place = table
            for section in sections:
                place = place[section]
            place[last] = value
        return TrainingRecipe.model_validate(table)


def remedies(recipe: TrainingRecipe, device: torch.device, *, images: bool, num_train: int) -> list[Remedy]:
    """What applies to `recipe` on `device`, the ones that leave the result as it is first."""
    found = (_precision(recipe, device), _layout(recipe, images=images), _loading(recipe), _compile(recipe))
    whole = [*(remedy for remedy in found if remedy is not None), *_batches(recipe, num_train)]
    return sorted(whole, key=lambda remedy: (SAME, ROUNDED, OTHER).index(remedy.result))


def _precision(recipe: TrainingRecipe, device: torch.device) -> Remedy | None:
    best = resolve("auto", device)
    if best == resolve(recipe.precision, device):
        return None
    return Remedy(f"compute in {best}", {"precision": "auto"}, ROUNDED)


def _layout(recipe: TrainingRecipe, *, images: bool) -> Remedy | None:
    if not images or recipe.hardware.channels_last:
        return None
    return Remedy("channels innermost", {"hardware.channels_last": True}, ROUNDED)


def _loading(recipe: TrainingRecipe) -> Remedy | None:
    if recipe.hardware.loading != "loader":
        return None
    return Remedy("samples in memory", {"hardware.loading": "auto"}, SAME)


def _compile(recipe: TrainingRecipe) -> Remedy | None:
    if recipe.hardware.compile != "off":
        return None
    return Remedy("compile the model", {"hardware.compile": "on"}, ROUNDED)


def _batches(recipe: TrainingRecipe, num_train: int) -> Iterator[Remedy]:
    """Accumulated batches taken at once, which batch norm alone would notice, and larger ones."""
    steps, batch = recipe.accumulation_steps, recipe.batch_size
    if steps > 1:
        at_once = {"batch_size": batch * steps, "accumulation_steps": 1}
        yield Remedy(f"no accumulation: batches of {batch * steps}", at_once, ROUNDED)
    for times in BATCHES:
        if times * batch * steps <= num_train:
            yield Remedy(f"batches of {times * batch}", {"batch_size": times * batch}, OTHER)
