"""Features of a frozen backbone: computed once, and the same as if they were not kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import REPOSITORY
from tests.train.driving import CPU, differing, lane, recipe, weights
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.train import features
from tunefast.train.datasets import load_dataset
from tunefast.train.lane import Lane
from tunefast.train.preparing import Preparation

FROZEN: dict[str, Any] = {
    "model": {"name": "small_cnn", "width": 8},
    "transfer": {"freeze": "backbone"},
    "optimizer": {"name": "sgd", "lr": 0.5},
    "data": {"name": "digits", "validation": 0.2},
}
USED = 1618
"""Digits in the training and the validation part; the others are the test part's."""
PROGRAM = """
import sys, torch
from tests.train.driving import lane
from tests.train.test_features import FROZEN
from tunefast.train import features
torch.set_num_threads(1)
computed, compute = [], features.compute_features
features.compute_features = lambda *args: computed.append(1) or compute(*args)
scores = lane(**FROZEN).evaluate()
print(len(computed), scores["loss"].hex())
"""


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is kept yet."""
    monkeypatch.setenv("TUNEFAST_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many samples features were computed of, each time they were."""
    sizes: list[int] = []
    compute = features.compute_features

    def noted(samples: Any, *rest: Any) -> Any:
        sizes.append(len(samples))
        return compute(samples, *rest)

    monkeypatch.setattr(features, "compute_features", noted)
    return sizes


def _without_features(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Lane:
    with monkeypatch.context() as patch:
        patch.setattr(TrainingRecipe, "caches_features", False)
        return lane(**settings)


@pytest.mark.parametrize(
    "model", [FROZEN["model"], {"name": "mlp", "width": 16, "depth": 2, "batch_norm": True, "dropout": 0.3}]
)
def test_same_as_recomputed(model: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Logits, losses and trained heads are those of passing every image through the backbone each time."""
    settings = {**FROZEN, "model": model}
    kept, plain = lane(**settings), _without_features(monkeypatch, **settings)
    positions = torch.arange(100)
    one, other = (trained.dataset.validation.take(positions) for trained in (kept, plain))
    with torch.inference_mode():
        logits = kept.network.head.eval()(kept.preparation.inputs(one.inputs))
        wanted = plain.network.eval()(plain.preparation.inputs(other.inputs))
    torch.testing.assert_close(logits, wanted, atol=1e-5, rtol=1e-5)
    assert torch.equal(one.targets, other.targets)
    assert torch.equal(one.rows, other.rows)
    for epoch in (1, 2):
        mine, yours = kept.train_epoch(epoch), plain.train_epoch(epoch)
        assert mine.loss == pytest.approx(yours.loss, rel=1e-4)
    for name, value in weights(kept.network).items():
        torch.testing.assert_close(value, weights(plain.network)[name], atol=1e-4, rtol=1e-4)
    assert kept.evaluate() == pytest.approx(plain.evaluate(), rel=1e-4)
    assert kept.evaluate_test() == pytest.approx(plain.evaluate_test(), rel=1e-4)


def test_backbone_stays(computed: list[int]) -> None:
    """Training on features moves the head alone, and leaves the backbone's statistics as they were."""
    trained = lane(**FROZEN)
    before = weights(trained.network)
    trained.train_epoch(1)
    assert {name.partition(".")[0] for name in differing(weights(trained.network), before)} == {"head"}
    assert computed == [USED]


def testcompute_featuresd_once(computed: list[int]) -> None:
    """Trials that differ in what comes after the backbone, or in the share of samples, use the same features."""
    settings: list[dict[str, Any]] = [
        {},
        {"optimizer": {"name": "adam"}, "batch_size": 32},
        {"loss": {"name": "focal"}, "epochs": 7},
        {"data": {"name": "digits", "validation": 0.2, "fraction": 0.5}},
        {"augment": {"mixup_alpha": 0.0}},
        {"averaging": {}},
    ]
    for changed in settings:
        lane(**{**FROZEN, **changed}).train_epoch(1)
    assert len(computed) == 1


def test_only_what_is_used(computed: list[int]) -> None:
    """With a share of the samples the others do not pass through the backbone until a trial asks for them."""
    tenth = {**FROZEN, "data": {**FROZEN["data"], "fraction": 0.1}}
    small = lane(**tenth)
    before = small.evaluate()
    used = len(small.dataset.train) + len(small.dataset.validation)
    assert computed == [used]
    lane(**FROZEN)
    assert computed == [used, USED - used]
    assert small.evaluate() == lane(**tenth).evaluate() == before
    assert len(computed) == 2


def test_same_for_training_and_validation(computed: list[int], tmp_path: Path) -> None:
    """Where both parts stand in one array it is passed through the backbone once, and mapped once."""
    trained = lane(**FROZEN)
    assert trained.dataset.train.inputs.data_ptr() == trained.dataset.validation.inputs.data_ptr()
    assert computed == [USED]
    assert len(list((tmp_path / "features").glob("*/arrays.json"))) == 1


CHANGES: dict[str, dict[str, Any]] = {
    "weights": {"seed": 1},
    "resolution": {"preprocess": {"image_size": 12}},
    "scale": {"preprocess": {"normalize": "range"}},
    "precision": {"precision": "bf16"},
    "architecture": {"model": {"name": "small_cnn", "width": 4}},
    "data": {"data": {"name": "digits", "validation": 0.3}},
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_entry(change: str, computed: list[int]) -> None:
    """Other weights, images, statistics or numbers make an entry of their own, and old ones stay."""
    settings = {**FROZEN, **CHANGES[change]}
    lane(**FROZEN)
    lane(**settings)
    assert len(computed) == 2
    lane(**FROZEN)
    lane(**settings)
    assert len(computed) == 2


def test_one_weight_makes_another_entry(computed: list[int]) -> None:
    """A single number of the backbone that changed is enough."""
    made = recipe(**FROZEN)
    dataset, trained = load_dataset(made.data, CPU), lane(**FROZEN)
    preparation = Preparation(made, dataset, 0, CPU)
    features.feature_dataset(made, dataset, trained.network, preparation, CPU)
    assert len(computed) == 1
    with torch.no_grad():
        next(trained.network.backbone.parameters())[0].add_(1e-3)
    features.feature_dataset(made, dataset, trained.network, preparation, CPU)
    assert len(computed) == 2


@pytest.mark.parametrize(
    "settings",
    [
        {"augment": {"flip": "random"}},
        {"augment": {"mixup_alpha": 0.2}},
        {"transfer": {"freeze": "none"}},
        {"transfer": {"freeze": "blocks", "train_blocks": 1}},
        {"transfer": {"freeze": "backbone", "unfreeze_epoch": 2}},
    ],
)
def test_not_used(settings: dict[str, Any], computed: list[int]) -> None:
    """Where images or the backbone change from epoch to epoch, nothing is kept, and the images are trained on."""
    trained = lane(**{**FROZEN, **settings})
    trained.train_epoch(1)
    assert not computed
    assert trained.dataset is trained.raw


def test_two_processescompute_features_once(tmp_path: Path) -> None:
    """Workers that start at once compute the features once between them, and see the same ones."""
    command = [sys.executable, "-c", PROGRAM]
    started = [
        subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)  # the cache is that of the fixture
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120)[0].split() for process in started]
    assert sorted(count for count, _ in said) == ["0", "1"]
    assert said[0][1] == said[1][1] == lane(**FROZEN).evaluate()["loss"].hex()


def test_through_a_loader(computed: list[int]) -> None:
    """Features are small and stay on the device; a loader for the images changes nothing about the training."""
    loader: dict[str, Any] = {"hardware": {"loading": "loader", "loader_workers": 0}}
    assert lane(**FROZEN, **loader).train_epoch(1) == lane(**FROZEN).train_epoch(1)
    assert len(computed) == 1
