"""Early stopping against Keras's rule."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tunefast.recipe.stopping import EarlyStopping, Patience, metric_direction


class KerasEarlyStopping:
    """``keras.callbacks.EarlyStopping.on_epoch_end`` of Keras 3 with its model taken out; epochs count from 0."""

    def __init__(
        self, *, patience: int, min_delta: float, baseline: float | None, start_from_epoch: int, greater: bool
    ) -> None:
        self.patience, self.min_delta, self.baseline = patience, min_delta, baseline
        self.start_from_epoch, self.greater = start_from_epoch, greater
        self.wait, self.best_epoch = 0, -1
        self.best: float | None = None

    def on_epoch_end(self, epoch: int, current: float) -> bool:
        """Whether Keras sets ``stop_training``."""
        if epoch < self.start_from_epoch:
            return False
        if self.best_epoch < 0:
            self.best_epoch = epoch
        self.wait += 1
        if self._is_improvement(current, self.best):
            self.best, self.best_epoch = current, epoch
            if self.baseline is None or self._is_improvement(current, self.baseline):
                self.wait = 0
            return False
        return self.wait >= self.patience and epoch > 0

    def _is_improvement(self, value: float, reference: float | None) -> bool:
        if reference is None:
            return True
        return value - self.min_delta > reference if self.greater else value + self.min_delta < reference


def stopped_at(rule: EarlyStopping, curve: list[float]) -> int | None:
    """The epoch after which `rule` ends a trial with this curve."""
    return next((epoch for epoch, value in enumerate(curve, start=1) if rule.update(epoch, value)), None)


values = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])


@given(
    curve=st.lists(values, max_size=20),
    patience=st.integers(0, 4),
    min_delta=st.sampled_from([0.0, 0.1, 0.3]),
    baseline=st.none() | values,
    start=st.integers(0, 5),
    greater=st.booleans(),
)
def test_stops_where_keras_stops(
    *, curve: list[float], patience: int, min_delta: float, baseline: float | None, start: int, greater: bool
) -> None:
    """Every curve ends at the epoch, and keeps the epoch, that it would in Keras."""
    keras = KerasEarlyStopping(
        patience=patience, min_delta=min_delta, baseline=baseline, start_from_epoch=start, greater=greater
    )
    rule = EarlyStopping(
        patience=patience,
        min_delta=min_delta,
        baseline=baseline,
        start_from_epoch=start,
        mode="max" if greater else "min",
    )
    for epoch, value in enumerate(curve):
        stop = rule.update(epoch + 1, value)
        assert stop == keras.on_epoch_end(epoch, value)
        assert (rule.best, rule.best_epoch - 1) == (keras.best, keras.best_epoch)
        if stop:
            break


def test_patience_ends_a_flat_curve() -> None:
    """A curve that never moves ends `patience` epochs after its first."""
    rule = EarlyStopping(monitor="val_loss", patience=3)
    assert stopped_at(rule, [1.0] * 10) == 4
    assert rule.best_epoch == 1


@pytest.mark.parametrize("patience", [0, 1, 4])
def test_counts_from_the_best_epoch(patience: int) -> None:
    """A trial gets `patience` epochs after its best one, and at least one."""
    rule = EarlyStopping(monitor="val_accuracy", patience=patience)
    assert stopped_at(rule, [0.1, 0.2, 0.9, *[0.5] * 9]) == 3 + max(patience, 1)
    assert (rule.best, rule.best_epoch) == (0.9, 3)


def test_min_delta() -> None:
    """A gain that is not greater than `min_delta` counts as none."""
    creeping = [1.0, 0.96, 0.92, 0.88]
    assert stopped_at(EarlyStopping(patience=2, min_delta=0.05), creeping) is None
    assert stopped_at(EarlyStopping(patience=2, min_delta=0.2), creeping) == 3
    assert stopped_at(EarlyStopping(patience=2), creeping) is None


def test_baseline() -> None:
    """A trial that improves, but does not beat the baseline, runs out of patience."""
    rising = [0.1, 0.2, 0.3, 0.3]
    assert stopped_at(EarlyStopping(monitor="accuracy", patience=3, baseline=0.5), rising) == 4
    assert stopped_at(EarlyStopping(monitor="accuracy", patience=3, baseline=0.15), rising) is None


def test_start_from_epoch() -> None:
    """Epochs before the start are neither judged nor kept."""
    rule = EarlyStopping(monitor="val_accuracy", patience=2, start_from_epoch=3)
    assert stopped_at(rule, [0.99, 0.9, 0.9, 0.5, 0.4, 0.4]) == 6
    assert rule.best_epoch == 4


@pytest.mark.parametrize(("mode", "expected"), [("auto", 4), ("max", 4), ("min", None)])
def test_mode(mode: str, expected: int | None) -> None:
    """`mode` says which way is better, and auto goes by the name."""
    assert stopped_at(EarlyStopping(monitor="val_accuracy", patience=3, mode=mode), [0.9, 0.8, 0.7, 0.6]) == expected


def test_nan_is_never_the_best() -> None:
    """A value that is no number runs down the patience, and the first number after it is an improvement."""
    rule = EarlyStopping(patience=2)
    assert stopped_at(rule, [math.nan, 3.0, math.nan, 2.0, math.nan, math.nan]) == 6
    assert (rule.best, rule.best_epoch) == (2.0, 4)
    assert stopped_at(EarlyStopping(patience=2), [math.nan] * 5) == 2


def test_direction_is_never_guessed() -> None:
    """A metric whose name does not say which way is better needs a mode, as in Keras."""
    with pytest.raises(ValidationError, match="the name 'perplexity' does not say which way is better"):
        EarlyStopping(monitor="perplexity")
    assert stopped_at(EarlyStopping(monitor="perplexity", mode="min", patience=2), [3.0, 2.0, 4.0, 5.0]) == 4


@pytest.mark.parametrize("settings", [{"patience": -1}, {"min_delta": -0.1}, {"mode": "up"}, {"patients": 3}])
def test_settings_are_checked(settings: dict[str, object]) -> None:
    """The rule refuses what the spec would refuse."""
    with pytest.raises(ValidationError):
        EarlyStopping(**settings)


def test_defaults_are_those_of_the_settings() -> None:
    """The rule and the recipe's table mean the same."""
    assert EarlyStopping().settings == Patience()


@pytest.mark.parametrize(
    ("metric", "direction"),
    [
        ("val_accuracy", "maximize"),
        ("accuracy", "maximize"),
        ("val_auc", "maximize"),
        ("f1", "maximize"),
        ("val_loss", "minimize"),
        ("mae", "minimize"),
        ("val_rmse", "minimize"),
        ("val_r2", "maximize"),
        ("val_f1", "maximize"),
        ("val_top5_accuracy", "maximize"),
        ("seconds_to_target", "minimize"),
        ("top1_error", "minimize"),
        ("steps_to_target", "minimize"),
        ("perplexity", None),
    ],
)
def test_direction_by_name(metric: str, direction: str | None) -> None:
    """A metric's name says which way is better, or says nothing; it is never guessed."""
    assert metric_direction(metric) == direction
