"""The techniques of `benchmarks.techniques`, each as recipe settings with it and without it."""

from __future__ import annotations

from typing import Any, NamedTuple

Settings = dict[str, Any]

FRACTION, VALIDATION = 0.05, 0.05
CNN: Settings = {"name": "small_cnn", "width": 16, "depth": 3}
ADAMW: Settings = {"name": "adamw", "lr": 3e-3}
BASE: Settings = {
    "epochs": 5,
    "model": CNN,
    "optimizer": ADAMW,
    "schedule": {"name": "one_cycle"},
    "batch_size": 128,
    "precision": "fp32",
}
"""What all recipes have in common, over `FRACTION` of CIFAR-10's training images."""
CONSTANT: Settings = {"schedule": {"name": "constant"}}
_STEEP: Settings = {"optimizer": {"name": "sgd", "lr": 0.5, "momentum": 0.9}}


class Family(NamedTuple):
    """Techniques that are measured against the same recipe."""

    against: str
    """That recipe, in words."""
    on: dict[str, Settings]
    """By technique: what it changes in `BASE` and `off`; a key replaces the whole setting."""
    off: Settings = {}  # noqa: RUF012  NamedTuples are frozen
    """What it has in place of `BASE`'s settings."""
    target: float | None = None
    """The accuracy to reach, where it is not the default."""


def _augmented(**options: Any) -> Settings:
    return {"augment": options}


def _scheduled(name: str, **options: Any) -> Settings:
    return {"schedule": {"name": name, **options}}


def _optimized(name: str, lr: float, **options: Any) -> Settings:
    return {"optimizer": {"name": name, "lr": lr, **options}}


FAMILIES: dict[str, Family] = {
    "batch size": Family(
        "batches of 128", {"batches of 32": {"batch_size": 32}, "batches of 512": {"batch_size": 512}}
    ),
    "accumulation": Family(
        "batches of 32",
        {"32 x 4 accumulated": {"accumulation_steps": 4}, "batches of 128 instead": {"batch_size": 128}},
        {"batch_size": 32},
    ),
    "last batch": Family("the last batch kept", {"dropped": {"drop_last": True}}, {"batch_size": 512}),
    "bf16": Family("fp32", {"bf16": {"precision": "bf16"}}),
    "fp16": Family(
        "fp32, on 2 % of the images",
        {"fp16": {"precision": "fp16"}},
        {"data": {"fraction": 0.02, "validation": 0.02}, "epochs": 3},
        0.2,
    ),
    "memory layout": Family(
        "NCHW", {"channels-last": {"hardware": {"channels_last": True}}}, {"hardware": {"channels_last": False}}
    ),
    "compile": Family("eager", {"compile": {"hardware": {"compile": "on"}}}),
    "loading": Family(
        "resident",
        {"loader": {"hardware": {"loading": "loader"}}},
        {"hardware": {"loading": "resident"}, **_augmented(flip="random")},
    ),
    "optimizer": Family(
        "SGD",
        {
            "momentum": _optimized("sgd", 0.05, momentum=0.9),
            "Nesterov": _optimized("sgd", 0.05, momentum=0.9, nesterov=True),
            "Adagrad": _optimized("adagrad", 0.03),
            "RMSprop": _optimized("rmsprop", 3e-3),
            "Adam": _optimized("adam", 3e-3),
            "Adam, amsgrad": _optimized("adam", 3e-3, amsgrad=True),
            "AdamW": _optimized("adamw", 3e-3),
            "Muon": _optimized("muon", 0.05, adamw_lr=1e-2),
        },
        _optimized("sgd", 0.3),
    ),
    "schedule": Family(
        "constant",
        {
            "step": _scheduled("step", step_epochs=2, gamma=0.3),
            "multi-step": _scheduled("multi_step", milestones=[3, 4], gamma=0.3),
            "exponential": _scheduled("exponential", gamma=0.6),
            "cosine": _scheduled("cosine"),
            "one-cycle": _scheduled("one_cycle"),
            "triangular": _scheduled("cyclic", up_epochs=1),
            "triangular2": _scheduled("cyclic", up_epochs=1, mode="triangular2"),
            "exp_range": _scheduled("cyclic", up_epochs=1, mode="exp_range"),
            "plateau": _scheduled("plateau", patience=0, factor=0.3),
        },
        CONSTANT,
    ),
    "warm-up": Family(
        "a constant rate", {"warm-up of an epoch": _scheduled("constant", warmup_epochs=1.0)}, {**CONSTANT, **_STEEP}
    ),
    "rate scaling": Family(
        "batches of 512, rate for 128",
        {
            "linear": {"lr_scaling": {"rule": "linear", "base_batch_size": 128}},
            "square root": {"lr_scaling": {"rule": "sqrt", "base_batch_size": 128}},
        },
        {"batch_size": 512},
    ),
    "weight decay": Family(
        "none",
        {
            "0.1": {"optimizer": {**ADAMW, "weight_decay": 0.1}},
            "0.1, norms and biases spared": {
                "optimizer": {**ADAMW, "weight_decay": 0.1, "decay_norm_and_bias": False},
            },
            "L1": {"penalty": {"l1": 1e-5}},
            "L2": {"penalty": {"l2": 1e-3}},
        },
        {"optimizer": {**ADAMW, "weight_decay": 0.0}},
    ),
    "network": Family(
        "small_cnn 16 wide, 3 deep",
        {
            "dropout": {"model": {**CNN, "dropout": 0.2}},
            "twice as wide": {"model": {**CNN, "width": 32}},
            "a block deeper": {"model": {**CNN, "depth": 4}},
            "resnet9, 8 wide": {"model": {"name": "resnet9", "width": 8}},
            "mlp": {"model": {"name": "mlp"}},
        },
    ),
    "batch norm": Family("none", {"batch norm": {"model": CNN}}, {"model": {**CNN, "batch_norm": False}}),
    "loss": Family(
        "cross-entropy",
        {
            "label smoothing": {"loss": {"name": "cross_entropy", "label_smoothing": 0.1}},
            "focal": {"loss": {"name": "focal"}},
            "class weights": {"loss": {"name": "cross_entropy", "class_weight": "balanced"}},
        },
    ),
    "mixing": Family("none", {"mixup": _augmented(mixup_alpha=0.2), "cutmix": _augmented(cutmix_alpha=1.0)}),
    "clipping": Family(
        "a large rate",
        {"norm": {"clipping": {"norm": 1.0}}, "value": {"clipping": {"value": 0.05}}},
        {**CONSTANT, **_STEEP},
    ),
    "averaging": Family(
        "a constant rate", {"averaged weights": {"averaging": {"decay": 0.97}}}, {**CONSTANT, "batch_size": 64}
    ),
    "flip": Family("none", {"random": _augmented(flip="random"), "alternating": _augmented(flip="alternating")}),
    "crop and cutout": Family("none", {"crop": _augmented(crop_padding=4), "cutout": _augmented(cutout=8)}),
    "image size": Family(
        "32 pixels", {"24 pixels": {"preprocess": {"image_size": 24}}, "16 pixels": {"preprocess": {"image_size": 16}}}
    ),
    "normalisation": Family(
        "none",
        {
            "data": {"preprocess": {"normalize": "data"}},
            "range": {"preprocess": {"normalize": "range"}},
            "fixed": {"preprocess": {"normalize": "fixed", "mean": [0.5], "std": [0.25]}},
        },
        {"preprocess": {"normalize": "none"}},
    ),
    "fraction": Family(
        f"{FRACTION:.0%} of the images",
        {
            "half of them": {"data": {"fraction": FRACTION / 2, "validation": VALIDATION}},
            "twice as many": {"data": {"fraction": FRACTION * 2, "validation": VALIDATION}},
        },
    ),
    "early stopping": Family(
        "15 epochs at a constant rate",
        {"patience of 2": {"early_stopping": {"patience": 2}}},
        {**CONSTANT, "epochs": 15, "data": {"fraction": FRACTION / 2, "validation": VALIDATION}},
    ),
    "feature cache": Family(
        "a frozen random backbone, flips",
        {"no flips, so features are kept": _augmented()},
        {
            "transfer": {"freeze": "backbone"},
            "data": {"fraction": 0.4, "validation": VALIDATION},
            **_augmented(flip="random"),
            **_optimized("adamw", 3e-2),
        },
        0.2,
    ),
}
