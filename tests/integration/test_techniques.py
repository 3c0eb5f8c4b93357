"""Techniques from end to end: regression, several labels, everything searched at once, and what cannot go together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from tests.integration.processes import Terminal
from tunefast.api import create_study
from tunefast.errors import UserError
from tunefast.spec.load import parse_spec

REGRESSION = """
[study]
name = "diabetes"
metric = "val_r2"
[budget]
trials = 4
[recipe]
epochs = 30
data = { name = "sklearn", set = "diabetes", validation = 0.2 }
loss = { name = "mse" }
metrics = ["rmse"]
early_stopping = { monitor = "val_mae", patience = 10 }
[space]
"optimizer.lr" = { choices = [0.01, 0.003] }
loss = { choices = [{ name = "mse" }, { name = "huber", delta = 1.5 }] }
"""
LABELS = """
[study]
name = "attributes"
metric = "val_f1"
[budget]
trials = 4
[recipe]
epochs = 6
data = { name = "npz", file = "attributes.npz" }
loss = { name = "binary_cross_entropy" }
metrics = ["f1", "auc"]
[space]
"optimizer.lr" = { choices = [0.01, 0.003] }
loss = { choices = [{ name = "binary_cross_entropy", class_weight = "balanced" }, { name = "binary_focal" }] }
"""
EVERYTHING = """
[study]
name = "everything"
pruner = { name = "none" }
sampler = { name = "random" }
[budget]
trials = 16
[recipe]
epochs = 2
data = { name = "digits", fraction = 0.2 }
model = { name = "small_cnn", width = 4, depth = 1, dropout = 0.1 }
[space]
"optimizer.name" = { choices = ["sgd", "adagrad", "rmsprop", "adam", "adamw", "muon"] }
schedule = { choices = [
    { name = "step", step_epochs = 1 }, { name = "exponential" }, { name = "cosine", warmup_epochs = 1 },
    { name = "one_cycle" }, { name = "cyclic", mode = "exp_range" }, { name = "plateau" },
] }
loss = { choices = [{ name = "cross_entropy", label_smoothing = 0.1 }, { name = "focal", class_weight = "balanced" }] }
"augment.flip" = { choices = ["none", "random", "alternating"] }
"augment.crop_padding" = { choices = [0, 1] }
"augment.cutout" = { choices = [0, 3] }
"augment.mixup_alpha" = { choices = [0.0, 0.2] }
"augment.cutmix_alpha" = { choices = [0.0, 1.0] }
"preprocess.normalize" = { choices = ["data", "range"] }
"averaging.decay" = { choices = [0.9, 0.99] }
"clipping.norm" = { choices = [0.1, 1.0] }
"penalty.l1" = { choices = [0.0, 1e-4] }
"lr_scaling.rule" = { choices = ["linear", "sqrt"] }
"transfer.freeze" = { choices = ["none", "backbone"] }
"transfer.unfreeze_epoch" = { choices = [2], when = { "transfer.freeze" = "backbone" } }
"model.batch_norm" = { choices = [true, false] }
"hardware.channels_last" = { choices = [true, false] }
precision = { choices = ["fp32", "tf32", "bf16", "fp16", "auto"] }
batch_size = { choices = [32, 100] }
accumulation_steps = { choices = [1, 3] }
drop_last = { choices = [true, false] }
"""
DIGITS: dict[str, Any] = {"data": {"name": "digits"}, "model": {"name": "small_cnn", "width": 4}}
TABLE: dict[str, Any] = {"data": {"name": "sklearn"}}
REFUSED: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "cutmix on a table": ({**TABLE, "augment": {"cutmix_alpha": 1.0}}, ("augment", "images", "(4,)")),
    "flips on a table": ({**TABLE, "augment": {"flip": "random"}}, ("augment", "images", "(4,)")),
    "a convolution on a table": ({**TABLE, "model": {"name": "small_cnn"}}, ("small_cnn", "images", "(4,)")),
    "f1 with mse": ({**TABLE, "loss": {"name": "mse"}, "metrics": ["f1"]}, ("metrics", "'f1'", "'mse'")),
    "mse on classes": ({**DIGITS, "loss": {"name": "mse"}}, ("'mse'", "classes", "cross_entropy")),
    "weights' scale, no weights": ({**DIGITS, "preprocess": {"normalize": "weights"}}, ("normalize", "model.weights")),
    "too large a batch": (
        {**DIGITS, "drop_last": True, "batch_size": 1459},
        ("drop_last", "1459", "1458"),
    ),
    "an unknown network": (
        {**DIGITS, "model": {"name": "torchvision", "arch": "resnet19"}},
        ("'resnet19'", "Did you mean 'resnet18'?"),
    ),
    "a missing file of weights": (
        {**DIGITS, "preprocess": {"image_size": 32}, "model": {"name": "torchvision", "weights": "none.pt"}},
        ("none.pt", "no such file"),
    ),
    "unknown weights": (
        {**DIGITS, "preprocess": {"image_size": 32}, "model": {"name": "torchvision", "weights": "IMAGENET"}},
        ("'IMAGENET'", "IMAGENET1K_V1"),
    ),
    "groups without groups": ({"data": {"name": "sklearn", "split": "group"}}, ("'group'", "no", "npz")),
    "a crop larger than the image": ({**DIGITS, "augment": {"crop_padding": 8}}, ("crop_padding = 8", "8x8")),
    "weights for other classes": (
        {**DIGITS, "loss": {"name": "cross_entropy", "class_weight": [1.0, 2.0]}},
        ("class_weight", "10 numbers"),
    ),
    "a monitor that is not reported": (
        {**DIGITS, "early_stopping": {"monitor": "val_f1"}},
        ("early_stopping.monitor", "'val_f1'", "val_accuracy"),
    ),
}


def test_a_regression_is_searched(terminal: Terminal) -> None:
    """Diabetes progression by mse and huber: better than the mean, judged by R2, stopped by the mean absolute error."""
    done = terminal.tunefast("study", "run", str(terminal.write("s.toml", REGRESSION)), "-n", "2")
    study = terminal.study("diabetes")
    assert "Best val_r2: 0." in done.stdout
    assert set(study.counts) <= {"complete", "pruned"}
    assert {"loss", "val_loss", "val_mae", "val_r2", "val_rmse"} <= set(study.epochs[0]["metrics"])


def test_several_labels_are_searched(terminal: Terminal) -> None:
    """Digits by what they are at once: even, five or more, with a closed loop."""
    write_attributes(terminal.directory / "attributes.npz")
    terminal.tunefast("study", "run", str(terminal.write("s.toml", LABELS)), "-n", "2")
    study = terminal.study("attributes")
    assert study.best is not None
    assert study.best.value is not None
    assert study.best.value > 0.9
    assert set(study.counts) <= {"complete", "pruned"}


def test_all_techniques_at_once_complete_all_trials(terminal: Terminal) -> None:
    """Whatever is drawn of optimizers, schedules, losses, augmentations and the rest trains; nothing fails."""
    done = terminal.tunefast("study", "run", str(terminal.write("s.toml", EVERYTHING)), "-n", "2", "--device", "cpu")
    assert terminal.study("everything").counts == {"complete": 16}
    assert "Note: precision fp32" in done.stdout
    assert "the same on this" in done.stdout


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_go_together_is_refused_at_creation(tmp_path: Path, case: str) -> None:
    """The message names both, or the setting and what would be valid; no database is made."""
    recipe, words = REFUSED[case]
    storage = tmp_path / "tunefast.db"
    table = {"study": {"name": "s", "metric": "val_loss"}, "budget": {"trials": 1}, "recipe": recipe}
    with pytest.raises(UserError) as refusal:
        create_study(parse_spec(table), f"sqlite:///{storage}")
    for word in words:
        assert word in str(refusal.value)
    assert not storage.exists()


def write_attributes(path: Path) -> None:
    """scikit-learn's digits with three labels each."""
    images, digits = load_digits(return_X_y=True)
    targets = np.stack([digits % 2 == 0, digits >= 5, np.isin(digits, (0, 6, 8, 9))], axis=1).astype(np.uint8)
    np.savez(path, inputs=images.astype(np.float32), targets=targets)
