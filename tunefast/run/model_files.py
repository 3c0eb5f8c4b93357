"""The files that a trained model comes in."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import tomlkit

from tunefast.run.jobs import Job
from tunefast.run.provenance import in_words, provenance
from tunefast.spec.progress import EpochReport
from tunefast.train import MODEL_FILE

if TYPE_CHECKING:
    from tunefast.train.lane import Lane

METRICS_FILE = "metrics.json"
FILES = ("recipe.toml", "history.csv", METRICS_FILE, MODEL_FILE)
EXPORTED = {"onnx": "model.onnx", "torch": "model.pt2"}
Export = Literal["onnx", "torch"]


class Trained(NamedTuple):
    """What came out."""

    metrics: dict[str, float]
    """Of the kept weights: on the way (loss, accuracy), on the validation part (val_...) and the test part
    (test_...)."""
    kept_epoch: int
    epochs: int
    train_seconds: float
    details: dict[str, float]
    files: tuple[str, ...]


def write_files(
    directory: Path, job: Job, trained: Trained, lane: Lane, reports: Sequence[EpochReport], export: Export | None
) -> tuple[str, ...]:
    """Write everything into `directory`, the weights last but for an export; the names of the files."""
    from tunefast.train.export import deployable, export_model, write_model

    recipe, history, metrics, model = (directory / name for name in FILES)
    recipe.write_text(_recipe_text(job), encoding="utf-8")
    _write_history(history, reports)
    metrics.write_text(json.dumps(_document(job, trained, lane), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    example = lane.example()
    module = deployable(lane)
    write_model(module, lane, model)
    model.chmod(recipe.stat().st_mode)  # safetensors keeps its files to their owner; this one is to be passed on
    if export is None:
        return FILES
    export_model(module, example, directory / EXPORTED[export], export)
    return (*FILES, EXPORTED[export])


def _recipe_text(job: Job) -> str:
    head = f"# {job.title}: trained on {job.threads} {'thread' if job.threads == 1 else 'threads'}.\n"
    head += f"# {in_words(provenance())}\n"
    return head + tomlkit.dumps({"study": job.study, "recipe": {"seed": job.seed, **job.recipe.settings()}})


def _write_history(path: Path, reports: Sequence[EpochReport]) -> None:
    """A row an epoch."""
    names = list(reports[0].metrics)
    with path.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["epoch", *names, "learning_rate", "train_seconds", "eval_seconds", "steps", "samples"])
        for report in reports:
            rest = [report.learning_rate, report.train_seconds, report.eval_seconds, report.steps, report.samples]
            writer.writerow([report.epoch, *(report.metrics[name] for name in names), *rest])


def _document(job: Job, trained: Trained, lane: Lane) -> dict[str, Any]:
    import torch

    return {
        "title": job.title,
        "metrics": {name: value if math.isfinite(value) else None for name, value in trained.metrics.items()},
        "kept_epoch": trained.kept_epoch,
        "epochs": trained.epochs,
        "train_seconds": trained.train_seconds,
        **{name: int(value) if value.is_integer() else value for name, value in trained.details.items()},
        "input_shape": list(lane.input_shape),
        "num_outputs": lane.recipe.loss.num_outputs(lane.raw.targets),
        "seed": job.seed,
        "threads": torch.get_num_threads(),
        "device": str(lane.device),
        "provenance": provenance(),
    }
