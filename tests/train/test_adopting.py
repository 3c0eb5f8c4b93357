"""A variant of a trial takes over what that one had learnt, under a recipe of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.driving import differing, lane
from tunefast.errors import CheckpointError
from tunefast.spec.progress import EpochReport
from tunefast.train.checkpoint import Checkpoints
from tunefast.train.state import capture

ADAMW = {"name": "adamw", "lr": 0.01}
DEEP = {"name": "mlp", "width": 8, "depth": 2}


def _report(epoch: int) -> EpochReport:
    return EpochReport(epoch=epoch, metrics={"loss": 0.1, "val_loss": 0.1, "accuracy": 0.5, "val_accuracy": 0.3})


def _left(directory: Path, **options: Any) -> dict[str, torch.Tensor]:
    """The tensors of a trial that was saved after its second epoch."""
    made = lane(epochs=5, **options)
    for epoch in (1, 2):
        made.train_epoch(epoch)
    Checkpoints(directory).save(made, [_report(1), _report(2)])
    return capture(made)[0]


@pytest.mark.parametrize(
    ("changed", "keeps_state"),
    [
        ({"optimizer": {**ADAMW, "lr": 0.001, "weight_decay": 0.5}}, True),
        ({"optimizer": {"name": "sgd", "lr": 0.1}}, False),
        ({"optimizer": {**ADAMW, "decay_norm_and_bias": False}}, False),
        ({"batch_size": 32, "schedule": {"name": "cosine"}}, True),
        ({"loss": {"name": "cross_entropy", "label_smoothing": 0.1}}, True),
    ],
)
def test_weights_and_state(tmp_path: Path, changed: dict[str, Any], *, keeps_state: bool) -> None:
    """Weights are those of the other trial; its optimizer's state too, where the new one would have the same."""
    old = _left(tmp_path, optimizer=ADAMW, model=DEEP)
    variant = lane(7, **{"epochs": 5, "optimizer": ADAMW, "model": DEEP, **changed})
    checkpoints = Checkpoints(tmp_path)
    assert [report.epoch for report in checkpoints.resume(variant, of_variant=True)] == [1, 2]
    assert checkpoints.num_adopted == 2
    new = capture(variant)[0]
    wanted = {name for name in old if keeps_state or not name.startswith("optimizer.")}
    assert new.keys() == wanted
    assert not differing({name: old[name] for name in wanted}, new)
    assert variant.optimizer.param_groups[0]["lr"] != 0
    variant.train_epoch(3)


def test_an_average_begins_at_the_weights(tmp_path: Path) -> None:
    """A variant that averages weights, of a trial that did not, starts its average where that one's weights were."""
    old = _left(tmp_path)
    variant = lane(epochs=5, averaging={"decay": 0.9})
    Checkpoints(tmp_path).resume(variant, of_variant=True)
    averaged = {name: value for name, value in capture(variant)[0].items() if name.startswith("average.")}
    assert averaged
    for name, value in averaged.items():
        assert torch.equal(value, old[name.replace("average.", "network.", 1)])


def test_a_variant_that_was_killed_knows_what_is_its_own(tmp_path: Path) -> None:
    """Its own checkpoint says which epochs another trial trained, and resumes exactly."""
    _left(tmp_path)
    variant, first = lane(epochs=5, batch_size=32), Checkpoints(tmp_path)
    reports = first.resume(variant, of_variant=True)
    variant.train_epoch(3)
    first.save(variant, [*reports, _report(3)])
    again, second = lane(epochs=5, batch_size=32), Checkpoints(tmp_path)
    assert [report.epoch for report in second.resume(again, of_variant=True)] == [1, 2, 3]
    assert second.num_adopted == 2
    assert not differing(capture(again)[0], capture(variant)[0])


@pytest.mark.parametrize(
    "other",
    [
        {"model": {"name": "mlp", "width": 16, "depth": 1}},
        {"data": {"name": "digits", "fraction": 0.5}},
        {"loss": {"name": "focal"}},
    ],
)
def test_what_does_not_fit(tmp_path: Path, other: dict[str, Any]) -> None:
    """Another model, other data or another loss do not go on from it, and weights are only taken over when asked."""
    _left(tmp_path)
    with pytest.raises(CheckpointError, match="another recipe or seed"):
        Checkpoints(tmp_path).resume(lane(epochs=5, **other), of_variant=True)
    with pytest.raises(CheckpointError, match="another recipe or seed"):
        Checkpoints(tmp_path).resume(lane(epochs=5, batch_size=32))
