"""Which training a spec or a trial describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tunefast.errors import UserError
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.run.prepare import located
from tunefast.run.slots import num_cores
from tunefast.shell import DEFAULT_STORAGE, command
from tunefast.spec.study import StudySpec
from tunefast.store.rows import SPLITS, main_value
from tunefast.store.snapshot import StudySnapshot


class Job(NamedTuple):
    """One training, as a spec or a trial describes it."""

    title: str
    recipe: TrainingRecipe
    study: dict[str, Any]
    """What a spec of this recipe alone says under ``[study]``."""
    seed: int
    threads: int
    stop_after: int | None = None
    """The epoch after which the trial was told to stop; None where it went on to its own end."""
    stop_reason: str = ""
    value: float | None = None
    """The value that the trial had, of the study's metric."""
    note: str = ""
    """What people should know of the trial before they look at the result."""

    @property
    def standardized(self) -> bool:
        """Whether errors are in deviations of the target rather than in the data's own units."""
        numbers = "numbers" in self.recipe.loss.kinds and not getattr(self.recipe.data, "as_is", False)
        return numbers and bool(getattr(self.recipe.data, "standardize_targets", False))

    @property
    def metric(self) -> str:
        """What the training is judged by."""
        return str(self.study["metric"])


def job_of_spec(spec: StudySpec, storage: str = DEFAULT_STORAGE) -> Job:
    """The training of a spec that searches nothing; who searches is told of its study in `storage`.

    Raises `UserError` where it searches something or has no model of ours, and what `located` raises.
    """
    name = spec.study.name
    if spec.space:
        raise UserError(
            message=f"{name} searches {', '.join(spec.space)}. Run it as a study, then train its best trial: "
            f"{command('train', '--study', name, storage=storage)}"
        )
    _training(spec, {})  # before an objective would be imported
    recipe = _training(located(spec), {})
    return Job(
        title=name,
        recipe=recipe,
        study=_study_table(spec),
        seed=spec.trial_seed(0, recipe),
        threads=num_cores(),
    )


def job_of_trial(study: StudySnapshot, number: int) -> Job:
    """The training of a trial as it was: same recipe, seed and threads, stopped where it was stopped.

    A trial that was pruned trains to its end. Raises `UserError` where the trial cannot be trained again here.
    """
    trial = study.trial(number)
    attempts = [row for row in study.attempts if row["trial"] == number]
    epochs = [row["epoch"] for row in study.epochs if row["trial"] == number]
    last: Mapping[str, Any] = (
        attempts[-1] if attempts else {"seed": study.spec.trial_seed(number), "threads": 1, "reason": ""}
    )
    complete = trial.state.name == "COMPLETE"
    return Job(
        title=f"{study.name}, trial {number}",
        recipe=_training(study.spec, trial.params, trial.user_attrs.get(SPLITS, 0)),
        study=_study_table(study.spec),
        seed=int(last["seed"]),
        threads=int(last["threads"]),
        stop_after=max(epochs) if complete and epochs else None,
        stop_reason=str(last["reason"] or "") if complete else "",
        value=main_value(trial) if complete and study.spec.study.target is None else None,
        note="" if complete else f"Trial {number} was {trial.state.name.lower()}; here it trains to its end.",
    )


def _training(spec: StudySpec, params: Mapping[str, Any], num_splits: int = 0) -> TrainingRecipe:
    recipe = spec.recipe_for(params, num_splits)
    if not isinstance(recipe, TrainingRecipe):
        raise UserError(message=f"{spec.study.name} trains with {recipe.trainer}, which keeps its own models")
    return recipe


def _study_table(spec: StudySpec) -> dict[str, Any]:
    section = spec.study
    if section.target is not None:
        return {"metric": section.target.metric, "seed": section.seed}
    said = {} if section.direction is None else {"direction": "maximize" if section.maximize else "minimize"}
    return {"metric": section.main_metric, **said, "seed": section.seed}
