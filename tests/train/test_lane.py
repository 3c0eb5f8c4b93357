"""One trial's model and what changes while it trains."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.train.driving import CPU, batch_of, differing, drive, lane, largest_difference, recipe, weights
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.train.datasets import Batch, load_dataset

DROPOUT = {"name": "mlp", "width": 32, "depth": 2, "dropout": 0.3}


@pytest.mark.parametrize(
    "model", [{"name": "mlp", "width": 32}, {"name": "small_cnn", "width": 4, "batch_norm": False}]
)
@pytest.mark.parametrize(("batch_size", "accumulation_steps"), [(64, 2), (32, 4), (100, 3)])
def test_accumulated_halves_equal_the_whole(model: dict[str, Any], batch_size: int, accumulation_steps: int) -> None:
    """Gradients added up over small batches are those of one large batch, in the last, partial group too."""
    split = lane(model=model, batch_size=batch_size, accumulation_steps=accumulation_steps, optimizer={"name": "sgd"})
    whole = lane(model=model, batch_size=batch_size * accumulation_steps, optimizer={"name": "sgd"})
    assert len(whole.dataset.train) % (batch_size * accumulation_steps) != 0
    mine, yours = split.train_epoch(1), whole.train_epoch(1)
    assert largest_difference(split, whole) < 1e-6
    assert (mine.steps, mine.samples, mine.accuracy) == (yours.steps, yours.samples, yours.accuracy)
    assert mine.loss == pytest.approx(yours.loss, abs=1e-6)


def test_accumulation_with_adam() -> None:
    """The same holds for an optimizer that divides by the gradient's size."""
    split = lane(batch_size=64, accumulation_steps=2, optimizer={"name": "adamw"})
    whole = lane(batch_size=128, optimizer={"name": "adamw"})
    for epoch in (1, 2):
        split.train_epoch(epoch)
        whole.train_epoch(epoch)
    assert largest_difference(split, whole) < 1e-4


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_same_seed_same_bits(precision: str) -> None:
    """The seed decides weights, order and dropout: two lanes with one seed stay equal to the last bit."""
    one, other, third = (lane(seed, model=DROPOUT, precision=precision) for seed in (5, 5, 6))
    torch.manual_seed(1)
    totals = [one.train_epoch(epoch) for epoch in (1, 2)]
    torch.manual_seed(2)
    assert [other.train_epoch(epoch) for epoch in (1, 2)] == totals
    assert largest_difference(one, other) == 0
    assert largest_difference(one, third) > 0


def test_an_epoch_needs_no_past() -> None:
    """Order and dropout of an epoch follow from its number, so one that goes on from stored weights repeats it."""
    settings: dict[str, Any] = {"model": DROPOUT, "optimizer": {"name": "sgd"}, "epochs": 3}
    through, resumed = lane(3, **settings), lane(3, **settings)
    through.train_epoch(1)
    resumed.network.load_state_dict(through.network.state_dict())
    assert resumed.train_epoch(2) == through.train_epoch(2)
    assert largest_difference(through, resumed) == 0


def test_dropout_is_keyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropout masks differ from step to step and leave torch's global generator alone."""
    trained = lane(model=DROPOUT)
    before = torch.get_rng_state()
    seeds, step = [], trained._step

    def noted(group: tuple[Batch, ...], parameters: list[torch.nn.Parameter], *key: int) -> torch.Tensor:
        totals = step(group, parameters, *key)
        seeds.append(trained._dropout.initial_seed())
        return totals

    monkeypatch.setattr(trained, "_step", noted)
    trained.train_epoch(1)
    trained.train_epoch(2)
    assert len(set(seeds)) == len(seeds) == 2 * trained.horizon.steps_per_epoch
    assert torch.equal(torch.get_rng_state(), before)


def test_totals() -> None:
    """An epoch reports its steps, each sample once, the mean loss and the share that was right on the way."""
    trained = lane(batch_size=100, accumulation_steps=3, optimizer={"name": "sgd", "lr": 1e-9})
    trained.dataset = replace(trained.dataset, validation=trained.dataset.train)
    count, scores = len(trained.dataset.train), trained.evaluate()
    totals = trained.train_epoch(1)
    assert (totals.steps, totals.samples) == (-(-count // 300), count)
    assert totals.loss == pytest.approx(scores["loss"], abs=1e-4)
    assert totals.accuracy == pytest.approx(scores["accuracy"], abs=2e-3)


def test_lone_last_sample_with_batch_norm() -> None:
    """A batch size that leaves a single sample over trains with batch norm."""
    count = len(load_dataset(recipe().data, CPU).train)
    batch_size = next(size for size in range(2, count) if count % size == 1)
    totals = lane(model={"name": "mlp", "batch_norm": True}, batch_size=batch_size).train_epoch(1)
    assert totals.samples == count


@pytest.mark.parametrize("optimizer", [{"name": "sgd", "momentum": 0.5}, {"name": "sgd"}, {"name": "adam", "lr": 0.01}])
def test_schedule_sets_rate_and_momentum(optimizer: dict[str, Any]) -> None:
    """Rate and momentum of the last step are the schedule's; an optimizer without momentum stays without."""
    trained = lane(optimizer=optimizer, schedule={"name": "one_cycle"}, epochs=3)
    steps = trained.horizon.steps_per_epoch
    for epoch in (1, 2, 3):
        point = trained.recipe.schedule.point(epoch * steps - 1, trained.horizon)
        assert trained.train_epoch(epoch).learning_rate == pytest.approx(trained.recipe.optimizer.lr * point.factor)
        group = trained.optimizer.param_groups[0]
        momentum = group["betas"][0] if "betas" in group else group["momentum"]
        assert momentum == (0 if optimizer == {"name": "sgd"} else point.momentum)


def test_constant_schedule_leaves_momentum() -> None:
    """Without a cycle the optimizer keeps its own momentum and rate."""
    trained = lane()
    trained.train_epoch(1)
    assert (trained.optimizer.param_groups[0]["lr"], trained.optimizer.param_groups[0]["momentum"]) == (0.1, 0.9)


def _accuracy(made: TrainingRecipe) -> float:
    """The best of five epochs, on a validation part that is large enough to tell points apart."""
    return max(report.metrics["val_accuracy"] for report in drive(made)[0])


@pytest.mark.parametrize("model", [{"name": "mlp", "width": 64, "depth": 2}, {"name": "small_cnn", "width": 8}])
def test_half_precision_learns_as_well(model: dict[str, Any]) -> None:
    """bf16 and fp16 end within a point of fp32, with weights that stayed in fp32."""
    settings: dict[str, Any] = {
        "model": model,
        "data": {"name": "digits", "validation": 0.4},
        "schedule": {"name": "one_cycle"},
        "epochs": 8,
    }
    reference = _accuracy(recipe(**settings))
    assert reference > 0.93
    for precision in ("bf16", "fp16"):
        assert _accuracy(recipe(**settings, precision=precision)) == pytest.approx(reference, abs=0.01)


def test_fp16_survives_an_overflow() -> None:
    """A step whose scaled gradients overflow is left out, and the scale falls."""
    trained = lane(precision="fp16", batch_size=64)
    trained.scaler.scale(torch.ones(()))
    trained.scaler.update(2.0**60)
    before = weights(trained.network)
    totals = trained._step((batch_of(trained, 64),), list(trained.network.parameters()), 1, 0)
    assert not differing(weights(trained.network), before)
    assert trained.scaler.get_scale() == 2.0**59
    assert totals[2] == 1


def test_weights_stay_in_fp32() -> None:
    """Half precision is for the passes; what is learnt is kept in full."""
    trained = lane(precision="bf16")
    trained.train_epoch(1)
    assert {parameter.dtype for parameter in trained.network.parameters()} == {torch.float32}


def test_kept_weights() -> None:
    """The weights that were kept last come back, batch norm's statistics with them, and later ones do not matter."""
    trained = lane(model={"name": "mlp", "width": 16, "batch_norm": True}, epochs=5)
    trained.train_epoch(1)
    trained.keep_weights()
    trained.train_epoch(2)
    trained.keep_weights()
    kept = weights(trained.network)
    trained.train_epoch(3)
    assert not differing(weights(trained.result()), kept)


def test_nothing_kept() -> None:
    """Without kept weights the last ones stay."""
    trained = lane()
    trained.train_epoch(1)
    before = weights(trained.network)
    assert not differing(weights(trained.result()), before)


def test_global_generator_is_given_back() -> None:
    """Building a model draws from a borrowed generator only."""
    before = torch.get_rng_state()
    lane(7)
    assert torch.equal(torch.get_rng_state(), before)


def test_model_that_does_not_fit() -> None:
    """A convolutional network over a table says what it needs."""
    with pytest.raises(ValueError, match="small_cnn needs images"):
        lane(data={"name": "synthetic"}, model={"name": "small_cnn"})


@pytest.mark.parametrize("schedule", [{"name": "one_cycle"}, {"name": "cyclic", "up_epochs": 0.5}])
def test_momentum_comes_back_from_zero(schedule: dict[str, Any]) -> None:
    """A cycle that takes momentum down to 0 takes it up again, and leaves an optimizer without momentum without."""
    settings: dict[str, Any] = {"schedule": {**schedule, "base_momentum": 0.0, "max_momentum": 0.9}, "epochs": 2}
    moving, still = lane(**settings), lane(**settings, optimizer={"name": "sgd"})
    found = set()
    for step in range(moving.horizon.num_steps):
        moving._set_schedule(step)
        still._set_schedule(step)
        wanted = moving.recipe.schedule.point(step, moving.horizon).momentum
        assert moving.optimizer.param_groups[0]["momentum"] == wanted
        assert still.optimizer.param_groups[0]["momentum"] == 0
        found.add(wanted)
    assert 0.0 in found or schedule["name"] == "one_cycle"


def test_a_first_step_that_overflows_leaves_no_rubbish(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch's fused SGD makes momentum buffers even in a step that is left out: here they are zeros."""
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    torch.use_deterministic_algorithms(mode=True)
    try:
        trained = lane(precision="fp16")
        trained.scaler.scale(torch.ones(()))
        trained.scaler.update(2.0**60)
        trained._step((batch_of(trained, 64),), list(trained.network.parameters()), 1, 0)
        buffers = [state["momentum_buffer"] for state in trained.optimizer.state.values()]
    finally:
        torch.use_deterministic_algorithms(mode=False)
    assert buffers
    assert all((buffer == 0).all() for buffer in buffers)


@pytest.mark.parametrize("channels_last", [True, False])
def test_memory_layout(*, channels_last: bool) -> None:
    """Images reach the convolutions in the layout that the recipe asks for."""
    seen: list[torch.Tensor] = []
    trained = lane(
        model={"name": "small_cnn", "width": 4},
        preprocess={"image_size": 12},
        hardware={"channels_last": channels_last},
    )
    first = next(module for module in trained.network.modules() if isinstance(module, torch.nn.Conv2d))
    first.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    trained.evaluate()
    assert seen[0].is_contiguous(memory_format=torch.channels_last) == channels_last
    assert seen[0].is_contiguous() != channels_last
