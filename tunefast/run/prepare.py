"""Before a study is created: its data is found and read once, its objective is imported once."""

from __future__ import annotations

from tunefast.errors import SpecError
from tunefast.recipe.recipe import ObjectiveRecipe, TrainingRecipe
from tunefast.spec.study import StudySpec
from tunefast.train.cache import decoded
from tunefast.train.objective import find_objective, load_objective


def check_objective(spec: StudySpec) -> None:
    """Raise `UserError` where a study's own objective is not to be found from the working directory.

    A worker that cannot import it would fail every trial it gets. Only looks for the module: to import it may take
    long.
    """
    objective = spec.recipe.get("objective")
    if isinstance(objective, str):
        find_objective(objective)


def located(spec: StudySpec) -> StudySpec:
    """The spec with its data found: the directory absolute, the files read once into the cache.

    Raises `DataError` where they are missing or damaged, `SpecError` where a model cannot take their samples, and
    `UserError` where an objective cannot be imported.
    """
    recipes = [spec.recipe_for(params) for params in spec.samples()]
    for objective in {recipe.objective for recipe in recipes if isinstance(recipe, ObjectiveRecipe)}:
        load_objective(objective)
    fits = {(recipe.data.located(), recipe.model) for recipe in recipes if isinstance(recipe, TrainingRecipe)}
    shapes = {data: decoded(data).sample_shape for data, _ in fits}
    for data, model in fits:
        try:
            model.check(shapes[data])
        except ValueError as error:
            raise SpecError(where=f"study {spec.study.name!r}", problem=str(error)) from error
    roots = {getattr(data, "root", None) for data in shapes} - {None}
    if len(roots) != 1 or not isinstance(spec.recipe.get("data"), dict):
        return spec
    data_table = {**spec.recipe["data"], "root": roots.pop()}
    return spec.model_copy(update={"recipe": {**spec.recipe, "data": data_table}})
