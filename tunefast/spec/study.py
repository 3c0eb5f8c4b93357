"""StudySpec: what the user asked for, from the file ``[study] [budget] [recipe] [space]``."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from tunefast.errors import nearest
from tunefast.recipe.base import RecipePart
from tunefast.recipe.part import Part
from tunefast.recipe.recipe import RECIPE, AnyRecipe, TrainingRecipe
from tunefast.recipe.seed import derive_seed
from tunefast.spec.constraints import Bound, Constraints
from tunefast.spec.corners import corners
from tunefast.spec.costs import COSTS, RACES
from tunefast.spec.domains import MAX_GRID_VALUES, Choice, Params, Scalar
from tunefast.spec.points import FromStudy, Point, check_points
from tunefast.spec.samplers import CmaEsSampler, GridSampler
from tunefast.spec.schema import RecipeTable
from tunefast.spec.sections import Budget, Notify, TrialSection
from tunefast.spec.space import Space, apply, cells, ordered
from tunefast.spec.study_section import StudySection

NUM_RANDOM_CHECKS = 100
LEAST_MOVED = 2
"""Settings that CMA-ES needs, by Optuna."""


class StudySpec(Part):
    """One search: what is fixed, what is searched, and when to stop."""

    study: StudySection
    budget: Budget = Budget()
    recipe: Annotated[dict[str, Any], RecipeTable()]
    """What every trial has in common."""
    space: Space = Field(default_factory=dict)
    """A path into the recipe -> the domain that is searched."""
    constraints: Constraints = Field(default_factory=dict)
    """What a recipe may take or has to reach, as ``peak_memory_bytes = "< 8e9"``: a metric or a cost -> its bound."""
    enqueue: list[Annotated[FromStudy | Point, Field(union_mode="left_to_right")]] = Field(default_factory=list)
    """What to try first: tables of settings, or the best of another study."""
    trial: TrialSection = TrialSection()
    """How each trial is run, and what of it is kept."""
    notify: Notify | None = None
    """Whom to tell what happens."""

    @field_validator("recipe")
    @classmethod
    def _finite(cls, recipe: dict[str, Any]) -> dict[str, Any]:
        for path, value in _leaves(recipe):
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{path} = {value}: must be a finite number")
        return recipe

    @model_validator(mode="after")
    def _fits_together(self) -> StudySpec:
        for path in self.space:
            _check_conditions(self.space, path)
        ordered(self.space)
        if self.trial.oom == "split" and not self.trains_with_ours:
            raise ValueError('trial.oom = "split" is for tunefast\'s own loop: only there are batches known')
        if isinstance(self.study.sampler, GridSampler):
            if self.recipe.get("style") == "optuna":
                raise ValueError(
                    "sampler: a grid needs all settings before a trial, and an objective for Optuna suggests its own "
                    "settings on the way; use another sampler"
                )
            _refuse_endless(self.space)
        elif isinstance(self.study.sampler, CmaEsSampler):
            _refuse_flat(self)
        if self.recipe.get("style") == "optuna" and (self.study.has_several or self.study.target is not None):
            raise ValueError("metric: an objective for Optuna returns one value, which is the study's only metric")
        if not self.trains_with_ours and self.study.target is not None and RACES[self.study.main_metric] == "flops":
            raise ValueError("metric: operations are known of tunefast's own training only; race by seconds or steps")
        _check_axis(self)
        grid = isinstance(self.study.sampler, GridSampler)
        if grid and self.enqueue:
            raise ValueError("enqueue: a grid tries every cell, and no other; use another sampler")
        self.check_points(self.enqueue)
        if not grid and self.budget.trials is None and self.budget.minutes is None:
            raise ValueError("budget: give trials or minutes, or the search has no end")
        return self

    def check_points(self, points: Sequence[Point | FromStudy]) -> None:
        """Raise `ValueError` for points to try first that no trial could have, or more of them than trials."""
        if self.recipe.get("style") != "optuna":  # whose objective says what there is
            check_points(points, self.space, trials=self.budget.trials)

    @property
    def bounds(self) -> dict[str, Bound]:
        """The constraints, to be asked."""
        return {name: Bound.parse(text) for name, text in self.constraints.items()}

    @property
    def reported_metrics(self) -> list[str]:
        """What reports have to name: for objectives, constraints, and to compare trials by."""
        bounded = [name for name in self.constraints if name not in COSTS]
        return list(dict.fromkeys([*self.study.reported_metrics, *bounded]))

    def recipe_for(self, params: Params, num_splits: int = 0) -> AnyRecipe:
        """The checked recipe of a trial, its batches halved `num_splits` times for lack of memory.

        Raises `pydantic.ValidationError` where `params` make none.
        """
        known = {path: value for path, value in params.items() if path in self.space}
        recipe: AnyRecipe = RECIPE.validate_python(apply(self._base(), self.space, known))
        for _ in range(num_splits):
            recipe = recipe.split() if isinstance(recipe, TrainingRecipe) else recipe
        return recipe

    def _base(self) -> dict[str, Any]:
        """The fixed settings; a part that is left out, but of which an option is searched, is the default one."""
        if "command" in self.recipe:  # whose settings are its own, whatever they are called
            return self.recipe
        parts = {path.partition(".")[0] for path in self.space if "." in path} - self.recipe.keys()
        defaults = {
            part: TrainingRecipe.model_fields[part].default for part in parts & set(TrainingRecipe.model_fields)
        }
        named = {part: {"name": default.name} for part, default in defaults.items() if hasattr(default, "name")}
        return {**named, **self.recipe}

    @property
    def trains_with_ours(self) -> bool:
        """Whether trials train with tunefast's own loop, and so go on from a checkpoint for little."""
        return "objective" not in self.recipe and "command" not in self.recipe

    @property
    def knows_epochs(self) -> bool:
        """Whether trials have a planned end: own training has one only where the spec says it."""
        return self.trains_with_ours or "epochs" in self.recipe or "epochs" in self.space

    def epochs_for(self, params: Params) -> int:
        """The epochs that a trial with `params` trains for when nothing stops it."""
        planned = params.get("epochs", self.recipe.get("epochs", RecipePart.model_fields["epochs"].default))
        return int(planned)

    @property
    def num_cells(self) -> int:
        """Cells of the grid; raises `ValueError` where the space has no end of them."""
        return sum(1 for _ in cells(self.space))

    def trial_seed(self, number: int, recipe: RecipePart | None = None) -> int:
        """The seed of trial `number`: its recipe's own, else a function of the study's seed and the number alone."""
        if recipe is not None and recipe.seed is not None:
            return recipe.seed
        return derive_seed(self.study.seed, number, "trial")

    def samples(self) -> Iterator[dict[str, Scalar]]:
        """Parameter sets to check the spec with: every corner of the space, and seeded random ones."""
        yield from corners(self.space)
        if not self.space:
            return
        rng = random.Random(0)  # noqa: S311 - no secret
        for _ in range(NUM_RANDOM_CHECKS):
            params: dict[str, Scalar] = {}
            for path in ordered(self.space):
                if self.space[path].holds(params):
                    params[path] = rng.choice(self.space[path].corners())
            yield params


def _check_conditions(space: Space, path: str) -> None:
    for parent, wanted in space[path].when.items():
        where = f'space."{path}".when'
        if parent not in space:
            raise ValueError(f"{where}: {parent!r} is not searched; only searched settings can be conditions")
        domain = space[parent]
        for value in wanted if isinstance(wanted, list) else [wanted]:
            if not domain.contains(value):
                known = map(str, domain.labels) if isinstance(domain, Choice) else ()
                raise ValueError(f"{where}: {parent!r} is never {value!r}.{nearest(str(value), known)}")


def _check_axis(spec: StudySpec) -> None:
    """Refuse a pruner that compares by what its trials do not say."""
    axis = getattr(spec.study.pruner, "axis", "epochs")
    if axis == "share" and not spec.knows_epochs:
        raise ValueError('pruner: axis = "share" needs to know how long trials are; give epochs in [recipe]')
    if axis == "steps" and not spec.trains_with_ours:
        raise ValueError('pruner: axis = "steps" is for tunefast\'s own loop: other training reports no steps')


def _leaves(table: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in nested tables and lists, with its path."""
    if isinstance(table, dict | list):
        for key, value in table.items() if isinstance(table, dict) else enumerate(table):
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    else:
        yield path, table


def _refuse_flat(spec: StudySpec) -> None:
    moved = [path for path, domain in spec.space.items() if not isinstance(domain, Choice) and not domain.when]
    if spec.recipe.get("style") != "optuna" and len(moved) < LEAST_MOVED:
        raise ValueError(
            f"sampler: cmaes moves settings that are ranges of numbers without conditions, at least {LEAST_MOVED}; "
            f"here are {len(moved)}, and all else is drawn at random; use tpe"
        )


def _refuse_endless(space: Space) -> None:
    for path, domain in space.items():
        if domain.cells() is None:
            raise ValueError(
                f'space."{path}": a grid cannot cover a continuous domain, nor one of more than {MAX_GRID_VALUES:,} '
                "values; give it a step or choices, or use another sampler"
            )
    if next(islice(cells(space), MAX_GRID_VALUES, None), None) is not None:
        raise ValueError(f"space: more than {MAX_GRID_VALUES:,} cells in the grid; narrow it, or use another sampler")
