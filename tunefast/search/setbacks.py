"""Setbacks: attempts at a trial that ended since its device broke, or had too little memory."""

from __future__ import annotations

from tunefast.recipe.recipe import TrainingRecipe
from tunefast.search.live import LiveStudy
from tunefast.spec.progress import OUT_OF_MEMORY, Ending, Outcome
from tunefast.store.epochs import DEVICE_BROKE
from tunefast.store.rows import SPLITS

MAX_DEVICE_ERRORS = 2
"""Broken devices before it is the trial that breaks them."""


def short_of_memory(study: LiveStudy, number: int, outcome: Outcome) -> None:
    """Let a trial that had too little memory go on with half as large batches, where the spec says so and it can.

    Else it ends with `outcome`.
    """
    running = study.running[number]
    recipe = running.recipe
    if study.spec.trial.oom != "split" or not isinstance(recipe, TrainingRecipe) or not recipe.can_split:
        study.finish(number, outcome)
        return
    running.recipe = recipe.split()
    splits = study.storage.get_trial(running.trial_id).user_attrs.get(SPLITS, 0) + 1
    study.storage.set_trial_user_attr(running.trial_id, SPLITS, splits)
    study.release(number, f"{OUT_OF_MEMORY}: goes on with batches of {running.recipe.batch_size}", paused=True)


def broken_device(study: LiveStudy, number: int, error: str) -> None:
    """Take back a trial during which its device broke; the second time it is the trial's own failure."""
    running = study.running[number]
    running.device_errors += 1
    if running.device_errors >= MAX_DEVICE_ERRORS:
        study.finish(number, Outcome(ending=Ending.FAILED, reason="device", error=error))
    else:
        study.release(number, DEVICE_BROKE, paused=True)
