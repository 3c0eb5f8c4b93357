"""Recipes, lanes and ways to drive the training that the tests of this layer share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from tunefast.nn.network import Network
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.spec.progress import Answer, EpochReport, Verdict
from tunefast.train.checkpoint import Checkpoints
from tunefast.train.datasets import Batch, load_dataset
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
    made: TrainingRecipe,
    seed: int = 0,
    driver: Driver = carry_on,
    device: torch.device = CPU,
    checkpoints: Checkpoints | None = None,
) -> tuple[list[EpochReport], Network]:
    """The reports that are made, each answered by `driver`, and the network that comes out."""
    training, reports = train(made, seed, device, checkpoints), []
    try:
        report = next(training)
        while True:
            reports.append(report)
            report = training.send(driver(report))
    except StopIteration as end:
        network: Network = end.value
        return reports, network


def without_times(reports: list[EpochReport]) -> list[dict[str, Any]]:
    """What is the same in every run."""
    measured = {"train_seconds", "eval_seconds", "peak_memory_bytes"}
    return [report.model_dump(exclude=measured) for report in reports]


def weights(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of all parameters and buffers."""
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def differing(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> list[str]:
    """The names of the tensors that are not equal to the last bit."""
    assert one.keys() == other.keys()
    return [name for name, value in one.items() if not torch.equal(value, other[name])]


def largest_difference(one: Lane, other: Lane) -> float:
    """Between any two numbers of the networks of two lanes."""
    mine, yours = weights(one.network), weights(other.network)
    return max((mine[name].double() - yours[name].double()).abs().max().item() for name in mine)


def batch_of(trained: Lane, count: int) -> Batch:
    """The first training samples of a lane."""
    return trained.dataset.train.take(torch.arange(count, device=trained.device))
