"""Combinations of techniques, few of them, in which every two choices still meet."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import combinations, product
from typing import Any

Options = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""By factor and the name of a choice: what that choice adds to a recipe."""

_OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3},
    "adam": {"lr": 0.01, "amsgrad": True},
    "adamw": {"lr": 0.01, "decay_norm_and_bias": False},
    "adagrad": {"lr": 0.05},
    "rmsprop": {"lr": 0.005, "momentum": 0.5, "centered": True},
    "muon": {"lr": 0.02},
}
_SCHEDULES: dict[str, dict[str, Any]] = {
    "constant": {},
    "one_cycle": {"base_momentum": 0.0},
    "cosine": {"warmup_epochs": 1.5},
    "step": {"step_epochs": 1, "gamma": 0.5},
    "multi_step": {"milestones": [1, 3]},
    "exponential": {},
    "cyclic": {},
    "plateau": {"patience": 1},
}

TECHNIQUES: Options = {
    "optimizer": {name: {"optimizer": {"name": name, **options}} for name, options in _OPTIMIZERS.items()},
    "schedule": {name: {"schedule": {"name": name, **options}} for name, options in _SCHEDULES.items()},
    "precision": {name: {"precision": name} for name in ("fp32", "tf32", "bf16", "fp16")},
    "augment": {
        "none": {},
        "images": {"augment": {"flip": "alternating", "crop_padding": 1, "cutout": 2}},
        "random flips": {"augment": {"flip": "random", "crop_padding": 2, "crop_fill": "reflect"}},
        "mixup": {"augment": {"mixup_alpha": 0.3, "mix_probability": 0.5}},
        "both": {"augment": {"flip": "random", "mixup_alpha": 0.3, "cutmix_alpha": 1.0}},
    },
    "averaging": {"none": {}, "average": {"averaging": {"decay": 0.9}}},
    "accumulation": {"one": {}, "three": {"accumulation_steps": 3}},
    "batches": {"all": {}, "whole": {"drop_last": True}},
    "stopping": {
        "none": {},
        "keep": {"early_stopping": {"patience": 1, "monitor": "val_accuracy"}},
    },
    "model": {
        "mlp": {"model": {"name": "mlp", "width": 16, "dropout": 0.2, "batch_norm": True}},
        "cnn": {"model": {"name": "small_cnn", "width": 4, "dropout": 0.2}},
    },
    "weights": {
        "free": {},
        "clipped": {"clipping": {"norm": 1.0, "value": 0.5}, "penalty": {"l1": 1e-5, "l2": 1e-4}},
        "frozen": {"transfer": {"freeze": "backbone"}},
        "thawed": {"transfer": {"freeze": "blocks", "train_blocks": 1, "unfreeze_epoch": 3, "backbone_lr_factor": 0.5}},
    },
    "loss": {
        "plain": {},
        "smooth": {"loss": {"name": "cross_entropy", "label_smoothing": 0.1, "class_weight": "balanced"}},
        "focal": {"loss": {"name": "focal"}},
    },
}
"""Every technique that leaves something behind from one step to the next, or draws at random."""


def pairwise(factors: Mapping[str, Sequence[str]], seed: int = 0, attempts: int = 30) -> list[dict[str, str]]:
    """Combinations in which every choice of every factor meets every choice of every other one at least once.

    Greedy: of `attempts` random combinations that have a missing pair, each completed as well as it goes, the one with
    the most new pairs is taken.
    """
    rng = random.Random(seed)
    names = list(factors)
    missing = {
        frozenset({(one, a), (other, b)})
        for one, other in combinations(names, 2)
        for a, b in product(factors[one], factors[other])
    }
    rows: list[dict[str, str]] = []
    while missing:
        ordered = sorted(sorted(pair) for pair in missing)
        candidates = [_completed(dict(rng.choice(ordered)), factors, missing, rng) for _ in range(attempts)]
        best = max(candidates, key=lambda row: len(missing & _pairs(row)))
        missing -= _pairs(best)
        rows.append({name: best[name] for name in names})
    return rows


def _completed(
    row: dict[str, str],
    factors: Mapping[str, Sequence[str]],
    missing: set[frozenset[tuple[str, str]]],
    rng: random.Random,
) -> dict[str, str]:
    rest = [name for name in factors if name not in row]
    rng.shuffle(rest)
    for name in rest:
        choices = rng.sample(list(factors[name]), len(factors[name]))
        new = {choice: sum(frozenset({(name, choice), pair}) in missing for pair in row.items()) for choice in choices}
        row[name] = max(choices, key=new.__getitem__)
    return row


def _pairs(row: Mapping[str, str]) -> set[frozenset[tuple[str, str]]]:
    return {frozenset(pair) for pair in combinations(row.items(), 2)}


def settings(row: Mapping[str, str], options: Options = TECHNIQUES) -> dict[str, Any]:
    """What the choices of `row` add to a recipe."""
    merged: dict[str, Any] = {}
    for factor, choice in row.items():
        merged |= options[factor][choice]
    return merged


@cache
def covering() -> tuple[dict[str, Any], ...]:
    """Settings of recipes in which every two of the techniques meet."""
    rows = pairwise({factor: list(choices) for factor, choices in TECHNIQUES.items()})
    return tuple(settings(row) for row in rows)
