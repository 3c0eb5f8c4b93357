"""Record learning curves for ``benchmarks.stopping``: the same recipes under a constant rate, cosine and one-cycle.

``python -m benchmarks.record_curves --data DIR --out FOLDER [--recipes N] [--sets digits mnist]``: for digits, and for
MNIST in `DIR`, one small file per schedule, ``FOLDER/<data>_<schedule>.npz``, with validation loss and accuracy after
every epoch.
Recipes are drawn at random: the learning rate over three decades, batch size, width, weight decay, optimizer.
"""

from __future__ import annotations

import argparse
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tunefast.recipe.recipe import RECIPE, TrainingRecipe
from tunefast.spec.progress import Answer, Verdict
from tunefast.train.loop import train

SCHEDULES = ("constant", "cosine", "one_cycle")
DATA: dict[str, tuple[dict[str, Any], int]] = {
    "digits": ({"name": "digits", "validation": 0.5}, 20),
    "mnist": ({"name": "mnist", "fraction": 0.15}, 12),
}
"""Data and epochs."""
NAMES = ("optimizer.lr", "batch_size", "model.width", "optimizer.weight_decay", "is_sgd")


def drawn(rng: random.Random) -> dict[str, float]:
    """A recipe's settings."""
    is_sgd = rng.random() < 0.5  # noqa: PLR2004  one half each
    low, high = (1e-3, 1.0) if is_sgd else (1e-4, 1e-1)
    return {
        "optimizer.lr": low * (high / low) ** rng.random(),
        "batch_size": rng.choice([32, 64, 128, 256]),
        "model.width": rng.choice([32, 64, 128, 256]),
        "optimizer.weight_decay": 1e-5 * 1e3 ** rng.random(),
        "is_sgd": float(is_sgd),
    }


def recipe(settings: dict[str, float], schedule: str, data: dict[str, Any], epochs: int) -> TrainingRecipe:
    """The recipe of some settings."""
    name = {"name": "sgd", "momentum": 0.9} if settings["is_sgd"] else {"name": "adamw"}
    optimizer = {**name, "lr": settings["optimizer.lr"], "weight_decay": settings["optimizer.weight_decay"]}
    made = RECIPE.validate_python(
        {
            "data": data,
            "epochs": epochs,
            "model": {"name": "mlp", "width": int(settings["model.width"]), "depth": 2},
            "batch_size": int(settings["batch_size"]),
            "optimizer": optimizer,
            "schedule": {"name": schedule},
        }
    )
    if not isinstance(made, TrainingRecipe):
        raise TypeError(type(made))
    return made


def curve(made: TrainingRecipe, seed: int) -> list[tuple[float, float]]:
    """Validation loss and accuracy after each epoch; NaN from where it diverged."""
    found: list[tuple[float, float]] = []
    reports = train(made, seed, torch.device("cpu"))
    try:
        report = next(reports)
        while not report.diverged():
            found.append((report.metrics["val_loss"], report.metrics["val_accuracy"]))
            report = reports.send(Answer(verdict=Verdict.CONTINUE))
    except StopIteration:
        return found
    return found + [(float("nan"), float("nan"))] * (made.epochs - len(found))


def main() -> None:
    """Train all recipes, and write what they reported."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipes", type=int, default=90)
    parser.add_argument("--sets", nargs="+", choices=tuple(DATA), default=tuple(DATA))
    arguments = parser.parse_args()
    os.environ["TUNEFAST_DATA"] = str(arguments.data)
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(0)  # noqa: S311  no secret
    every = [drawn(rng) for _ in range(arguments.recipes)]
    for name in arguments.sets:
        data, epochs = DATA[name]
        for schedule in SCHEDULES:
            path = arguments.out / f"{name}_{schedule}.npz"
            curves = np.array([curve(recipe(settings, schedule, data, epochs), 1) for settings in every])
            np.savez_compressed(
                path,
                names=np.array(NAMES),
                hyperparameters=np.array([[settings[key] for key in NAMES] for settings in every]),
                val_loss=curves[:, :, 0].astype(np.float32),
                val_accuracy=curves[:, :, 1].astype(np.float32),
                annealed=np.array(schedule != "constant"),
                from_first_epoch=np.array(1),
            )
            print(f"{path}: {path.stat().st_size:,} bytes", flush=True)


if __name__ == "__main__":
    main()
