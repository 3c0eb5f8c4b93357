"""Trainings to be examined."""

from __future__ import annotations

from typing import Any

import torch

from tunefast.doctor.findings import PHASES, Aim, Anatomy
from tunefast.doctor.trying import Case
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.train.loop import open_lane

CPU = torch.device("cpu")


def recipe(**changes: Any) -> TrainingRecipe:
    """A perceptron on the digits."""
    return TrainingRecipe.model_validate({"data": {"name": "digits"}, "model": {"name": "mlp", "width": 8}, **changes})


def limited(limit: int, problem: str, *words: str) -> dict[str, Any]:
    """A model of the user's own that raises `problem` of batches with more than `limit` samples."""
    options = {"limit": limit, "problem": problem, "words": list(words)}
    return {"name": "own", "path": "tests.own_code:Limited", "options": options}


def anatomy(**changes: Any) -> Anatomy:
    """Steps of 10 ms of which nothing stands out."""
    whole: dict[str, Any] = {
        "step_seconds": 0.01,
        "phases": dict.fromkeys(PHASES, 0.002),
        "fixed_seconds": 0.0,
        "eval_seconds": 0.0,
        "epochs": 10,
        "steps_per_epoch": 100,
        "samples_per_step": 32,
        "step_flops": 1e9,
        "num_parameters": 1000,
        "peak_memory_bytes": 0,
        "is_images": True,
        "num_train": 3200,
        "num_validation": 100,
        "has_batch_norm": False,
        "loads": False,
        "open_seconds": 0.01,
    }
    return Anatomy(**{**whole, **changes})


def case(of: TrainingRecipe) -> Case:
    """The recipe as one that remedies are tried on, its data loaded as they have it."""
    open_lane(of, 0, CPU).train_epoch(1, 1)
    return Case(of, 0, CPU, torch.get_num_threads(), Aim("val_accuracy", maximize=True), anatomy())
