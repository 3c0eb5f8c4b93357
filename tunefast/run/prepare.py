"""Before a study is created: its data is read once and its parts held against it, or its objective is imported."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tunefast.errors import SpecError, UserError
from tunefast.recipe.data import DataPart, Decoded
from tunefast.recipe.own import find_module
from tunefast.recipe.own_training import CommandRecipe, ObjectiveRecipe
from tunefast.recipe.precision import advice
from tunefast.recipe.recipe import AnyRecipe, TrainingRecipe
from tunefast.run.script.process import check_command, check_program
from tunefast.spec.sections import TOLD
from tunefast.spec.study import StudySpec
from tunefast.train.cache import decoded
from tunefast.train.objective import find_objective, load_objective
from tunefast.train.splits import split


def check_objective(spec: StudySpec) -> None:
    """Raise `UserError` where a study's own objective or parts are not to be found from the working directory.

    A worker that cannot import them would fail every trial it gets. Only looks for the modules: to import them may take
    long.
    """
    objective = spec.recipe.get("objective")
    if isinstance(objective, str):
        find_objective(objective)
    if objective is None and "command" not in spec.recipe:
        for where, path in sorted(own_paths(spec)):
            try:
                find_module(path, Path.cwd())
            except ValueError as error:
                raise UserError(message=f"study {spec.study.name!r}, {where} = {path!r}: {error}") from error


def own_paths(spec: StudySpec) -> set[tuple[str, str]]:
    """The fields of recipes that name code of the user's own, each with what it names."""
    found: set[tuple[str, str]] = set()
    for recipe in (spec.recipe_for(params) for params in spec.samples()):
        if isinstance(recipe, TrainingRecipe):
            found.update((f"{field}.path", part.path) for field, part in recipe.own_parts().items())
    return found


def located(spec: StudySpec) -> StudySpec:
    """The spec with its data and weights found: paths absolute, the files read once into the cache.

    Raises `DataError` where they are missing or damaged, `SpecError` where a part cannot take the samples or targets,
    and `UserError` where an objective cannot be imported.
    """
    recipes = [spec.recipe_for(params) for params in spec.samples()]
    for objective in {recipe.objective for recipe in recipes if isinstance(recipe, ObjectiveRecipe)}:
        load_objective(objective)
    check_objective(spec)
    if spec.notify is not None:
        check_program(spec.notify.words(dict.fromkeys(TOLD, "")), Path.cwd(), "[notify] command")
    for command in (recipe for recipe in recipes if isinstance(recipe, CommandRecipe)):
        check_command(command.located())
    _check_parts(spec, [recipe for recipe in recipes if isinstance(recipe, TrainingRecipe)])
    return with_paths(spec)


def with_paths(spec: StudySpec) -> StudySpec:
    """The spec with the directory of its data, and the file of its weights, made absolute; reads nothing."""
    recipes = [spec.recipe_for(params) for params in spec.samples()]
    tables = dict(spec.recipe)
    if isinstance(recipes[0], CommandRecipe):
        return spec.model_copy(update={"recipe": {**tables, "root": recipes[0].located().root}})
    for field, key in (("data", "root"), ("model", "weights")):
        parts = [getattr(recipe, field) for recipe in recipes if isinstance(recipe, TrainingRecipe)]
        found = {str(getattr(part.located(), key)) for part in parts if hasattr(part, key)}
        table = tables.get(field)
        if len(found) == 1 and isinstance(table, dict) and (key == "root" or key in table):
            tables[field] = {**table, key: found.pop()}
    return spec.model_copy(update={"recipe": tables})


def _check_parts(spec: StudySpec, recipes: Iterable[TrainingRecipe]) -> None:
    """Hold every combination of parts against the data that it is for."""
    read: dict[DataPart, tuple[Decoded, int]] = {}
    seen: set[tuple[Any, ...]] = set()
    for recipe in recipes:
        data = recipe.data.located()
        parts = (data, recipe.model, recipe.loss, recipe.augment, recipe.preprocess, recipe.metrics)
        combination = (*parts, recipe.transfer, recipe.batch_size if recipe.drop_last else recipe.batch_size == 1)
        if combination in seen:
            continue
        seen.add(combination)
        if data not in read:
            arrays = decoded(data)
            read[data] = arrays, len(split(arrays, data).train)
        arrays, num_train = read[data]
        targets = arrays.target_kind
        try:
            recipe.check(
                arrays.sample_shape, targets, is_images=arrays.images, num_train=num_train, scaled=arrays.scaled
            )
            if recipe.model.pretrained or recipe.batch_size == 1 or recipe.transfer.train_blocks > 0:
                _check_built(recipe, arrays)
        except ValueError as error:
            raise SpecError(where=f"study {spec.study.name!r}", problem=str(error)) from error


def _check_built(recipe: TrainingRecipe, arrays: Decoded) -> None:
    """Raise `ValueError` for what only a built model tells: that its weights can be had and fit, and its blocks."""
    import torch

    from tunefast.nn.dropout import seed_dropout

    shape = recipe.input_shape(arrays.sample_shape)
    with torch.random.fork_rng(devices=[]):
        network = recipe.model.build(shape, recipe.loss.num_outputs(arrays.target_kind))
    recipe.transfer.check(network)
    if recipe.batch_size == 1:
        seed_dropout(network, torch.Generator())
        network.train()
        recipe.transfer.apply(network, epoch=1)
        try:
            with torch.no_grad():
                network(torch.zeros(1, *shape))
        except ValueError as error:
            raise ValueError(f"batch_size = 1 is too small for the model {recipe.model.name!r}: {error}") from error


def warnings(spec: StudySpec, device: str) -> list[str]:
    """Sentences on choices that cost speed on `device`, or are the same there, and on pretrained or frozen weights."""
    recipes = [spec.recipe_for(params) for params in spec.samples()]
    trainings = [recipe for recipe in recipes if isinstance(recipe, TrainingRecipe)]
    said = advice([recipe.precision for recipe in trainings], device)
    frozen = next((recipe for recipe in trainings if recipe.transfer.freeze != "none"), None)
    if frozen is not None and not frozen.model.pretrained:
        said.append(
            f"transfer.freeze = {frozen.transfer.freeze!r}: what is frozen has random weights; set model.weights"
        )
    return said + _small_images(trainings) + _unnamed(spec, recipes)


def _small_images(recipes: Sequence[TrainingRecipe]) -> list[str]:
    """A sentence on pretrained weights that get images of less than half the side that they were made for."""
    for recipe in recipes:
        meant = recipe.model.input_size
        if meant is not None:
            side = recipe.input_shape(decoded(recipe.data.located()).sample_shape)[-1]
            if side < meant / 2:
                worse = "features are worse for it; set preprocess.image_size"
                return [f"model.weights were made for images of {meant} pixels a side and get {side}: {worse}"]
    return []


def _unnamed(spec: StudySpec, recipes: Sequence[AnyRecipe]) -> list[str]:
    """A sentence on searched settings that a program is not told on its command line."""
    named = {name for recipe in recipes if isinstance(recipe, CommandRecipe) for name in recipe.named()}
    left = [path for path in spec.space if path not in named]
    if not left or not isinstance(recipes[0], CommandRecipe) or recipes[0].names_settings:
        return []
    return [f"the command does not name {', '.join(left)}: the program finds such settings in TUNEFAST_SETTINGS only"]
