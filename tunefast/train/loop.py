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
from tunefast.train.evaluate import Scores, evaluate
from tunefast.train.lane import EpochTotals, Lane


def train(recipe: TrainingRecipe, seed: int, device: torch.device) -> Generator[EpochReport, Answer, nn.Module]:
    """Train `recipe` and yield a report after each epoch; whoever drives the generator decides how it goes on.

    ::

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
    if device.type == "cuda":  # only now, since torch refuses it before the device was used
        torch.cuda.reset_peak_memory_stats(device)
    lane = Lane(recipe, dataset, seed, device)
    val_inputs, val_labels = dataset.inputs[dataset.val_index], dataset.labels[dataset.val_index]
    for epoch in range(1, recipe.epochs + 1):
        started = time.perf_counter()
        totals = lane.train_epoch(epoch)
        trained = time.perf_counter()
        scores = evaluate(lane.model, dataset, val_inputs, val_labels, recipe.precision)
        evaluated = time.perf_counter()
        answer = yield EpochReport(
            epoch=epoch,
            metrics=_metrics(totals, scores),
            learning_rate=totals.learning_rate,
            train_seconds=trained - started,
            eval_seconds=evaluated - trained,
            steps=totals.steps,
            samples=totals.samples,
            peak_memory_bytes=_peak_memory_bytes(device),
        )
        if answer.keep:
            lane.keep_weights()
        if answer.verdict is not Verdict.CONTINUE:
            break
    lane.restore_weights()
    return lane.model


def _metrics(totals: EpochTotals, scores: Scores) -> dict[str, float]:
    return {
        "loss": totals.loss,
        "accuracy": totals.accuracy,
        "val_loss": scores.loss,
        "val_accuracy": scores.accuracy,
    }


def _peak_memory_bytes(device: torch.device) -> int:
    """Most memory the trial had on the device (CUDA), or this process had at all (CPU)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
