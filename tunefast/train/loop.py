"""train(): the one training loop."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence

import torch

from tunefast.nn.network import Network
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.spec.progress import COMPILE_SECONDS, Answer, EpochReport, Verdict
from tunefast.train.checkpoint import Checkpoints
from tunefast.train.datasets import dataset_for
from tunefast.train.features import feature_dataset
from tunefast.train.lane import Lane, MakeFeatures
from tunefast.train.memory import peak_memory_bytes
from tunefast.train.totals import EpochTotals


def train(
    recipe: TrainingRecipe, seed: int, device: torch.device, checkpoints: Checkpoints | None = None
) -> Generator[EpochReport, Answer, Network]:
    """Train `recipe` and yield a report after each epoch; whoever drives the generator decides how it goes on.

    ::

        lane = model, optimizer, schedule, all random draws from seed; from the newest checkpoint if there is one
        for epoch in those that are left:
            train on every batch, evaluate on the validation part
            answer = yield report
            keep the weights if the answer says so; write a checkpoint if one is due; leave if its verdict says so
        return the model with the kept weights, else the last

    The same (recipe, seed, device, number of threads) gives the same reports, bit for bit on a CPU, with interruptions
    or without; a trial that was paused gets a checkpoint. Raises `DataError` where the data cannot be read,
    `ValueError` where parts of the recipe do not fit it, and `CheckpointError` where the checkpoints are of another
    trial.
    """
    lane = open_lane(recipe, seed, device)
    earlier = checkpoints.resume(lane) if checkpoints is not None else ()
    yield from train_lane(lane, checkpoints, earlier)
    return lane.result()


def open_lane(
    recipe: TrainingRecipe, seed: int, device: torch.device, features: MakeFeatures = feature_dataset
) -> Lane:
    """A lane that has not trained yet, with its data loaded; see `feature_dataset` for what `features` makes."""
    dataset = dataset_for(recipe.data, device, recipe.hardware.loading)
    if device.type == "cuda":  # only now, since torch refuses it before the device was used
        torch.cuda.reset_peak_memory_stats(device)
        torch.backends.cudnn.benchmark = recipe.hardware.cudnn_benchmark
    return Lane(recipe, dataset, seed, device, features)


def train_lane(
    lane: Lane, checkpoints: Checkpoints | None = None, earlier: Sequence[EpochReport] = ()
) -> Generator[EpochReport, Answer, None]:
    """Train `lane` as `train` does, from where it stands: after the epochs of the `earlier` reports."""
    reports = list(earlier)
    for epoch in range(len(reports) + 1, lane.recipe.epochs + 1):
        lane.adapt(reports)
        report = _epoch(lane, epoch)
        reports.append(report)
        answer = yield report
        if answer.keep:
            lane.keep_weights()
        if checkpoints is not None:
            checkpoints.after(lane, reports, answer)
        if answer.verdict is not Verdict.CONTINUE:
            break


def _epoch(lane: Lane, epoch: int) -> EpochReport:
    started, compiled = time.perf_counter(), lane.compile_seconds
    totals = lane.train_epoch(epoch)
    trained, compiled = time.perf_counter(), lane.compile_seconds - compiled
    scores = lane.evaluate()
    evaluated = time.perf_counter()
    return EpochReport(
        epoch=epoch,
        metrics=_metrics(totals, scores),
        learning_rate=totals.learning_rate,
        train_seconds=trained - started - compiled,
        eval_seconds=evaluated - trained,
        steps=totals.steps,
        samples=totals.samples,
        peak_memory_bytes=peak_memory_bytes(lane.device),
        details=_details(lane, epoch, totals) | ({COMPILE_SECONDS: compiled} if compiled else {}),
    )


def _details(lane: Lane, epoch: int, totals: EpochTotals) -> dict[str, float]:
    """What the model costs, once, and how many steps fp16 lost, where it can lose any."""
    details = lane.details() if epoch == 1 else {}
    if lane.scaler.is_enabled():
        details["skipped_steps"] = float(totals.skipped_steps)
    return details


def _metrics(totals: EpochTotals, scores: dict[str, float]) -> dict[str, float]:
    trained = {"loss": totals.loss, "accuracy": totals.accuracy}
    known = {name: value for name, value in trained.items() if value is not None}
    return known | {f"val_{name}": value for name, value in scores.items()}
