"""Recipes, lanes and ways to drive the training that the tests of this layer share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from tunefast.recipe.recipe import TrainingRecipe
from tunefast.spec.progress import Answer, EpochReport, Verdict
from tunefast.train.datasets import load_dataset
from tunefast.train.lane import Lane
from tunefast.train.loop import train

CPU = torch.device("cpu")

Driver = Callable[[EpochReport], Answer]


def recipe(**settings: Any) -> TrainingRecipe:
    """A recipe that trains digits fast; `settings` replace its parts."""
    defaults = {
        "data": {"name": "digits"},
        "model": {"name": "mlp", "width": 32, "depth": 1},
        "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9},
        "epochs": 2,
        "batch_size": 64,
    }
    return TrainingRecipe.model_validate({**defaults, **settings})


def lane(seed: int = 0, **settings: Any) -> Lane:
    """A lane over digits that has not trained yet."""
    made = recipe(**settings)
    return Lane(made, load_dataset(made.data, CPU), seed, CPU)


def carry_on(report: EpochReport) -> Answer:
    """Train to the last epoch, whatever it says."""
    return Answer(verdict=Verdict.CONTINUE)


def drive(
    made: TrainingRecipe, seed: int = 0, driver: Driver = carry_on, device: torch.device = CPU
) -> tuple[list[EpochReport], nn.Module]:
    """All reports, each answered by `driver`, and the model that comes out."""
    training, reports = train(made, seed, device), []
    try:
        report = next(training)
        while True:
            reports.append(report)
            report = training.send(driver(report))
    except StopIteration as end:
        model: nn.Module = end.value
        return reports, model


def weights(model: nn.Module) -> list[torch.Tensor]:
    """A copy of all parameters and buffers."""
    return [value.detach().clone() for value in model.state_dict().values()]
