"""A program that trains many recipes in turns, to be killed, and one that takes up what was left."""

from __future__ import annotations

import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from tests.train.covering import covering
from tests.train.driving import CPU, carry_on, recipe
from tunefast.nn.network import Network
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.run.driver import Driver
from tunefast.spec.progress import Answer, EpochReport, Verdict
from tunefast.train.checkpoint import Checkpoints
from tunefast.train.loop import open_lane, train_lane

EPOCHS = 4
READY = "ready"


class AfterEachEpoch(Checkpoints):
    """Checkpoints whatever they cost."""

    def due(self, *, done: bool = False) -> bool:  # noqa: ARG002  as it is called
        """Always."""
        return True


def recipes() -> list[TrainingRecipe]:
    """Small recipes that cover every two techniques."""
    digits = {"name": "digits", "fraction": 0.1, "validation": 0.02}
    return [recipe(**made, data=digits, epochs=EPOCHS, batch_size=32) for made in covering()]


def trained(
    number: int, made: TrainingRecipe, checkpoints: Checkpoints | None
) -> Generator[EpochReport, None, Network]:
    """Train with the recipe's own early stopping, from the newest checkpoint on; returns what comes out."""
    driver = Driver(made.patience(), carry_on)
    answer = Answer(verdict=Verdict.CONTINUE)
    lane = open_lane(made, number, CPU)
    earlier = checkpoints.resume(lane) if checkpoints is not None else []
    for report in earlier:
        answer = driver.report(report)
        yield report
    if answer.verdict is not Verdict.CONTINUE:
        return lane.result()
    training = train_lane(lane, checkpoints, earlier)
    try:
        report = next(training)
        while True:
            answer = driver.report(report)
            yield report
            report = training.send(answer)
    except StopIteration:
        return lane.result()


def finished(number: int, made: TrainingRecipe, checkpoints: Checkpoints | None) -> tuple[list[EpochReport], Network]:
    """Train to the end."""
    training, reports = trained(number, made, checkpoints), []
    try:
        while True:
            reports.append(next(training))
    except StopIteration as end:
        network: Network = end.value
        return reports, network


def until_killed(root: Path) -> None:
    """Train all recipes for a few epochs each, say so, and go on."""
    trainings = {
        number: trained(number, made, AfterEachEpoch(root / str(number))) for number, made in enumerate(recipes())
    }
    for number, training in trainings.items():
        for _ in range(2 + number % EPOCHS):  # one more than there are checkpoints: each is written after its answer
            next(training, None)
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()
    while True:
        for training in trainings.values():
            next(training, None)


def to_the_end(root: Path) -> None:
    """Take all recipes up from their checkpoints, and write what they come to."""
    for number, made in enumerate(recipes()):
        checkpoints = AfterEachEpoch(root / str(number))
        found = len(checkpoints.reports())
        reports, network = finished(number, made, checkpoints)
        facts = {"found": str(found), "reports": "\n".join(report.model_dump_json() for report in reports)}
        state: dict[str, Any] = {name: value.contiguous() for name, value in network.state_dict().items()}
        save_file(state, root / f"{number}.safetensors", facts)


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"until_killed": until_killed, "to_the_end": to_the_end}[sys.argv[1]](Path(sys.argv[2]))
