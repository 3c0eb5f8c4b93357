"""Before a study is created: its data is found and read once, its objective is imported once."""

from __future__ import annotations

from tunefast.recipe.data import DataPart
from tunefast.recipe.recipe import ObjectiveRecipe, TrainingRecipe
from tunefast.spec.study import StudySpec
from tunefast.train.cache import decoded
from tunefast.train.objective import load_objective


def located(spec: StudySpec) -> StudySpec:
    """The spec with its data found: the directory absolute, the files read once into the cache.

    Raises `DataError` where they are missing or damaged, and `UserError` where an objective cannot be imported.
    """
    recipes = [spec.recipe_for(params) for params in spec.samples()]
    for objective in {recipe.objective for recipe in recipes if isinstance(recipe, ObjectiveRecipe)}:
        load_objective(objective)
    parts = {recipe.data.located() for recipe in recipes if isinstance(recipe, TrainingRecipe)}
    for part in parts:
        _check_data(part)
    roots = {getattr(part, "root", None) for part in parts} - {None}
    if len(roots) != 1 or len(parts) != 1:
        return spec
    data = {**spec.recipe["data"], "root": roots.pop()}
    return spec.model_copy(update={"recipe": {**spec.recipe, "data": data}})


def _check_data(part: DataPart) -> None:
    if part.source():
        decoded(part)
