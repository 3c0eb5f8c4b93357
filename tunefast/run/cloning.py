"""Cloning: a variant of a trial, queued to go on from that one's checkpoint."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from optuna.trial import FrozenTrial
from pydantic import ValidationError

from tunefast.errors import UserError, nearest
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.run.checkpoint_files import copied_checkpoints, num_bytes
from tunefast.run.enqueuing import enqueue
from tunefast.spec.domains import Choice, Scalar
from tunefast.spec.mistakes import mistakes_of_recipe, told
from tunefast.spec.progress import CHECKPOINTS
from tunefast.spec.samplers import GridSampler
from tunefast.spec.space import ordered
from tunefast.spec.study import StudySpec
from tunefast.store.ownership import StateDirectory
from tunefast.store.rows import enqueued, num_in_budget
from tunefast.store.snapshot import StudySnapshot


class Cloned(NamedTuple):
    """A trial that waits to be trained."""

    trial: int
    params: dict[str, Scalar]
    start: Literal["checkpoint", "beginning"]
    """Where it starts from: the beginning where that trial left no checkpoint that fits, or no epoch to go on to."""
    needs_trials: int
    """The budget in trials that has room for it."""
    is_in_budget: bool
    """Whether the study still trains it."""
    why: str = ""
    """Why it starts from the beginning, if it does."""


def clone_trial(path: Path, study: StudySnapshot, number: int, changes: Mapping[str, Any]) -> Cloned:
    """Queue a variant of trial `number` with other values of searched settings; it is the next to be trained.

    Raises `UserError` where there is no such trial, or such a variant cannot be.
    """
    source = study.trial(number)
    params = variant(study.spec, source, changes)
    kept = StateDirectory(path).trials(study.uuid) / str(number) / CHECKPOINTS
    last = max(source.intermediate_values, default=0)
    why = ""
    if study.spec.knows_epochs and last >= study.spec.epochs_for(params):
        why = f"trial {number} has no epoch left to go on to"
    elif not _fits(study.spec, params, source.params):
        why = f"its model, data or loss is not that of trial {number}"
    elif not (kept.is_dir() and any(kept.iterdir())):
        why = f"trial {number} left no checkpoint; of trials that ended, those of the best stay"
    elif not _has_room(study.spec, kept):
        why = f"a copy of the checkpoints of trial {number} does not fit into trial.checkpoint_bytes"
    continues = not why
    with _forked(kept, continues=continues) as copy:
        (clone,) = enqueue(path, study.name, [enqueued(params, number, continues=continues)])
        if copy is not None:
            target = kept.parent.with_name(str(clone)) / CHECKPOINTS
            target.parent.mkdir(exist_ok=True)
            with contextlib.suppress(OSError):  # it is being trained already, from a copy of its own
                copy.rename(target)
    budget = study.spec.budget.trials
    needs_trials = num_in_budget(study.trials) + 1
    is_in_budget = budget is None or needs_trials <= budget
    return Cloned(clone, params, "checkpoint" if continues else "beginning", needs_trials, is_in_budget, why)


@contextlib.contextmanager
def _forked(kept: Path, *, continues: bool) -> Iterator[Path | None]:
    """A copy of a trial's checkpoints as they are now, since it may go on; None where nothing goes on from them."""
    if not continues:
        yield None
        return
    with tempfile.TemporaryDirectory(dir=kept.parents[1], prefix=".clone") as place:
        copy = Path(place) / CHECKPOINTS
        copied_checkpoints(kept, copy)
        yield copy


def _has_room(spec: StudySpec, kept: Path) -> bool:
    """Whether another copy of these checkpoints fits, beside those of all trials."""
    limit = spec.trial.checkpoint_bytes
    if limit is None:
        return True
    taken = sum(num_bytes(place) for place in kept.parents[1].glob(f"*/{CHECKPOINTS}"))
    return taken + num_bytes(kept) <= limit


def _fits(spec: StudySpec, params: Mapping[str, Scalar], source: Mapping[str, Scalar]) -> bool:
    """Whether a variant's model can go on from the checkpoint; what the user's own training keeps is its own."""
    if spec.recipe.get("style") == "optuna":
        return True
    recipe, other = spec.recipe_for(params), spec.recipe_for(source)
    if isinstance(recipe, TrainingRecipe) and isinstance(other, TrainingRecipe):
        return recipe.goes_on_from(other)
    return True


def variant(spec: StudySpec, trial: FrozenTrial, changes: Mapping[str, Any]) -> dict[str, Scalar]:
    """The settings of a trial with some changed; those whose conditions no longer hold are left out.

    Raises `UserError` where a setting is not searched, a value not in its domain, or one is missing.
    """
    if isinstance(spec.study.sampler, GridSampler):
        raise UserError(
            message=f"study {spec.study.name!r} is a grid, which tries every cell once; a clone has no cell"
        )
    if spec.recipe.get("style") == "optuna":
        return _suggested(trial, changes)
    for path, value in changes.items():
        _check_value(spec, path, value)
    wanted = {**trial.params, **changes}
    active: dict[str, Scalar] = {}
    for path in ordered(spec.space):
        if not spec.space[path].holds(active):
            continue
        if path not in wanted:
            raise UserError(message=f"{path!r} is searched then too: give it, --set {path}=VALUE")
        active[path] = wanted[path]
    for path in changes.keys() - active.keys():
        raise UserError(message=f"--set {path}: its conditions do not hold then")
    try:
        spec.recipe_for(active)
    except ValidationError as error:
        raise UserError(message=f"that makes no recipe: {told(mistakes_of_recipe(error, spec, active))}") from error
    return active


def _check_value(spec: StudySpec, path: str, value: Any) -> None:
    if path not in spec.space:
        raise UserError(message=f"--set {path}: not searched.{nearest(path, spec.space)}")
    domain = spec.space[path]
    if not domain.contains(value):
        what = domain.labels if isinstance(domain, Choice) else f"{domain.low:g} to {domain.high:g}"
        raise UserError(message=f"--set {path}={value}: not in its domain, {what}; see tunefast study edit")


def _suggested(trial: FrozenTrial, changes: Mapping[str, Any]) -> dict[str, Scalar]:
    """A variant of what an objective for Optuna suggested, within the ranges that it had."""
    for path, value in changes.items():
        if path not in trial.distributions:
            raise UserError(message=f"--set {path}: the trial has no such setting.{nearest(path, trial.params)}")
        kind = trial.distributions[path]
        try:
            inside = kind._contains(kind.to_internal_repr(value))  # noqa: SLF001 - what Optuna itself asks
        except (TypeError, ValueError):
            inside = False
        if not inside:
            raise UserError(message=f"--set {path}={value}: not in its range, {kind}")
    return {**trial.params, **changes}
