"""train(): the one training loop."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Generator

import torch
from torch import nn

from tunefast.recipe.recipe import TrainingRecipe
from tunefast.spec.progress import Answer, EpochReport, Verdict
from tunefast.train.datasets import load_dataset
from tunefast.train.evaluate import evaluate
from tunefast.train.lane import EpochTotals, Lane


def train(recipe: TrainingRecipe, seed: int, device: torch.device) -> Generator[EpochReport, Answer, nn.Module]:
    """Train `recipe` and yield a report after each epoch; whoever drives the generator decides how it goes on::

        lane = model, optimizer, schedule, all random draws from seed
        for epoch in 1 .. epochs:
            train on every batch, evaluate on the validation part
            answer = yield report
            keep the weights if the answer says so; leave if its verdict says so
        return the model with the kept weights, else the last

    The same (recipe, seed, device, number of threads) gives the same reports, bit for bit on a CPU. Raises `DataError`
    where the data cannot be read and `ValueError` where the model does not fit it.
    """
    dataset = load_dataset(recipe.data, device)
    lane = Lane(recipe, dataset, seed, device)
    val_inputs, val_labels = dataset.inputs[dataset.val_index], dataset.labels[dataset.val_index]
    for epoch in range(1, recipe.epochs + 1):
        started = time.perf_counter()
        totals = lane.train_epoch(epoch)
        trained = time.perf_counter()
        scores = evaluate(lane.model, dataset, val_inputs, val_labels, recipe.precision)
        evaluated = time.perf_counter()
        metrics = {
            "loss": totals.loss,
            "accuracy": totals.accuracy,
            "val_loss": scores.loss,
            "val_accuracy": scores.accuracy,
        }
        answer = yield _report(epoch, metrics, totals, trained - started, evaluated - trained, device)
        if answer.keep:
            lane.keep_weights()
        if answer.verdict is not Verdict.CONTINUE:
            break
    lane.restore_weights()
    return lane.model


def _report(
    epoch: int,
    metrics: dict[str, float],
    totals: EpochTotals,
    train_seconds: float,
    eval_seconds: float,
    device: torch.device,
) -> EpochReport:
    return EpochReport(
        epoch=epoch,
        metrics=metrics,
        learning_rate=totals.learning_rate,
        train_seconds=train_seconds,
        eval_seconds=eval_seconds,
        steps=totals.steps,
        samples=totals.samples,
        peak_memory_bytes=_peak_memory_bytes(device),
    )


def _peak_memory_bytes(device: torch.device) -> int:
    """Most memory the trial had on the device (CUDA), or this process had at all (CPU)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
