"""Early stopping against Keras's own callback."""

from __future__ import annotations

import math
import random
from typing import Any, NamedTuple

import pytest

from tunefast.recipe.stopping import EarlyStopping

NUM_CURVES = 500
GRID = 64


class Outcome(NamedTuple):
    """How a curve ended; epochs count from 1."""

    stopped_epoch: int | None
    best_epoch: int
    best: float | None


class Model:
    """What the callback needs of a model; its only weight is the epoch that it was trained for."""

    def __init__(self) -> None:
        self.stop_training = False
        self.epoch = 0
        self.restored: int | None = None

    def get_weights(self) -> list[int]:
        """The weights as they are after this epoch."""
        return [self.epoch]

    def set_weights(self, weights: list[int]) -> None:
        """Note whose weights these were."""
        self.restored = weights[0]


@pytest.fixture(scope="module")
def callbacks(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """``keras.callbacks``, which writes its settings to a directory of the test's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_BACKEND", "torch")
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        return pytest.importorskip("keras.callbacks", reason="Keras is not installed: pip install keras")


def in_keras(callbacks: Any, settings: dict[str, Any], curve: list[float]) -> Outcome:
    """What Keras makes of a curve."""
    model, rule = Model(), callbacks.EarlyStopping(**settings)
    rule.set_model(model)
    rule.on_train_begin()
    stopped = None
    for epoch, value in enumerate(curve):
        model.epoch = epoch + 1
        rule.on_epoch_end(epoch, {settings["monitor"]: value})
        if model.stop_training:
            stopped = epoch + 1
            break
    rule.on_train_end()
    judged = len(curve) > settings["start_from_epoch"]
    if judged and settings["restore_best_weights"]:
        assert model.restored == rule.best_epoch + 1
    return Outcome(stopped, rule.best_epoch + 1 if judged else 0, rule.best)


def in_tunefast(settings: dict[str, Any], curve: list[float]) -> Outcome:
    """What tunefast makes of it."""
    rule = EarlyStopping(**settings)
    stopped = next((epoch for epoch, value in enumerate(curve, start=1) if rule.update(epoch, value)), None)
    return Outcome(stopped, rule.best_epoch, rule.best)


def random_settings(draw: random.Random) -> dict[str, Any]:
    """Settings of early stopping; fractions of 1 / `GRID` are exact in fp32, in which Keras compares."""
    return {
        "monitor": "val_loss",
        "mode": draw.choice(["min", "max", "auto"]),
        "patience": draw.randrange(6),
        "min_delta": draw.choice([0.0, 1 / GRID, 8 / GRID]),
        "baseline": draw.choice([None, draw.randrange(GRID) / GRID]),
        "start_from_epoch": draw.choice([0, 0, 1, 4]),
        "restore_best_weights": draw.random() < 0.5,
    }


def random_curve(draw: random.Random) -> list[float]:
    """A noisy curve that falls, stays or rises; a third with ties, and some with a NaN after the first four epochs."""
    slope, noise, length = draw.uniform(-0.05, 0.05), draw.choice([0.02, 0.3]), draw.randrange(1, 30)
    curve = [0.5 + slope * epoch + draw.gauss(0, noise) for epoch in range(length)]
    if draw.random() < 0.33:
        curve = [round(value * GRID / 4) * 4 / GRID for value in curve]
    if length > 5 and draw.random() < 0.2:
        curve[draw.randrange(5, length)] = math.nan
    return curve


def test_ends_and_keeps_what_keras_does(callbacks: Any) -> None:
    """Over random curves and settings both stop after the same epoch and keep the weights of the same one."""
    draw = random.Random(0)
    ended, restarted = 0, 0
    for _ in range(NUM_CURVES):
        settings, curve = random_settings(draw), random_curve(draw)
        expected = in_keras(callbacks, settings, curve)
        assert in_tunefast(settings, curve) == expected, (settings, curve)
        ended += expected.stopped_epoch is not None
        restarted += expected.best_epoch > settings["start_from_epoch"] + 1
    assert min(ended, NUM_CURVES - ended, restarted) > NUM_CURVES / 10


@pytest.mark.parametrize("mode", ["min", "max"])
def test_differs_in_a_curve_that_begins_with_nan(callbacks: Any, mode: str) -> None:
    """Keras takes a first NaN for the best value for good, and keeps its weights; here any number is better."""
    settings = {"monitor": "val_loss", "mode": mode, "patience": 3, "start_from_epoch": 0, "restore_best_weights": True}
    curve = [math.nan, 0.5, 0.5, 0.5, 0.5, 0.5]
    theirs = in_keras(callbacks, settings, curve)
    assert math.isnan(theirs.best or 0.0)
    assert theirs[:2] == (4, 1)
    assert in_tunefast(settings, curve) == (5, 2, 0.5)
