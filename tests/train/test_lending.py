"""Parts of the recipe in a loop of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tunefast.recipe.own_training import ObjectiveRecipe
from tunefast.spec.progress import Answer, EpochReport, Verdict
from tunefast.train.lending import KeptState
from tunefast.train.objective import Context


def context(tmp_path: Path, told: list[EpochReport] | None = None, **settings: Any) -> Context:
    """What an objective with these settings is lent."""
    recipe = ObjectiveRecipe.model_validate({"objective": "a:b", **settings})

    def report(said: EpochReport) -> Answer:
        if told is not None:
            told.append(said)
        return Answer(verdict=Verdict.CONTINUE)

    return Context(report, recipe, trial=1, seed=2, device="cpu", threads=1, directory=str(tmp_path))


def test_optimizer_and_schedule(tmp_path: Path) -> None:
    """The rate is the recipe's, scaled to the batch, and moves as torch's own scheduler moves it."""
    lent = context(
        tmp_path,
        epochs=2,
        optimizer={"name": "sgd", "lr": 0.1, "momentum": 0.9},
        schedule={"name": "one_cycle"},
        batch_size=512,
        lr_scaling={"rule": "linear", "base_batch_size": 256},
    )
    model, twin = nn.Linear(3, 2), nn.Linear(3, 2)
    optimizer = lent.optimizer(model)
    schedule = lent.schedule(optimizer, steps_per_epoch=5)
    other = torch.optim.SGD(twin.parameters(), lr=0.2, momentum=0.9)
    wanted = torch.optim.lr_scheduler.OneCycleLR(other, 0.2, total_steps=10)
    for step in range(10):
        (group, *_), (theirs,) = optimizer.param_groups, other.param_groups
        assert (group["lr"], group["momentum"]) == pytest.approx((theirs["lr"], theirs["momentum"]))
        other.step()
        if step < 9:
            schedule.step()
            wanted.step()
    for _ in range(3):
        schedule.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(other.param_groups[0]["lr"])


def test_a_schedule_goes_on(tmp_path: Path) -> None:
    """From its state a new one stands where the old one stood."""
    lent = context(tmp_path, schedule={"name": "cosine"})
    optimizer, other = (lent.optimizer(nn.Linear(3, 2)) for _ in range(2))
    schedule, again = lent.schedule(optimizer, 7), lent.schedule(other, 7)
    for _ in range(12):
        schedule.step()
    again.load_state_dict(schedule.state_dict())
    assert other.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"]


def test_muon_leaves_the_last_layer_to_adamw(tmp_path: Path) -> None:
    """Every parameter is in one group, and those of the head in AdamW's."""
    head = nn.Linear(4, 2)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), head)
    groups = context(tmp_path, optimizer={"name": "muon"}).optimizer(model, head).param_groups
    assert sum(len(group["params"]) for group in groups) == 4
    (matrices,) = [group for group in groups if "momentum" in group]
    assert [parameter.shape for parameter in matrices["params"]] == [(4, 3)]


def test_precision(tmp_path: Path) -> None:
    """Autocast has the recipe's format, and only fp16 scales the loss."""
    for precision, dtype, scaled in (("fp32", torch.float32, False), ("bf16", torch.bfloat16, False)):
        lent = context(tmp_path, precision=precision)
        with lent.autocast():
            assert nn.Linear(2, 2)(torch.ones(1, 2)).dtype is dtype
        assert lent.scaler().is_enabled() is scaled
    assert context(tmp_path, precision="fp16").scaler().is_enabled()


def test_a_whole_training_state_comes_back(tmp_path: Path) -> None:
    """Models, optimizers and plain values, of the shapes and kinds that they had."""
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    optimizer = torch.optim.AdamW(model.parameters(), amsgrad=True)
    model(torch.randn(8, 3)).sum().backward()
    optimizer.step()
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": 3,
        "best": (0.5, None, "x", True, [1, {2: torch.arange(3)}]),
    }
    lent = context(tmp_path)
    assert lent.checkpoint.load() is None
    lent.checkpoint.save(state)
    lent.commit()
    found = context(tmp_path).checkpoint.load()
    torch.testing.assert_close(found["model"], dict(model.state_dict()))
    twin = torch.optim.AdamW(model.parameters(), amsgrad=True)
    twin.load_state_dict(found["optimizer"])
    torch.testing.assert_close(twin.state_dict(), optimizer.state_dict())
    assert found["epoch"] == 3
    assert found["best"][:4] == (0.5, None, "x", True)
    assert torch.equal(found["best"][4][1][2], torch.arange(3))


def test_a_state_that_cannot_be_kept(tmp_path: Path) -> None:
    """An object is refused, and what was kept before stays."""
    kept = KeptState(tmp_path)
    kept.save({"epoch": 1})
    with pytest.raises(TypeError, match="not Linear"):
        kept.save({"model": nn.Linear(1, 1)})
    assert kept.load() == {"epoch": 1}
    kept.commit()
    (tmp_path / "state.safetensors").write_bytes(b"torn")
    assert kept.load() is None


def test_epochs_that_are_said(tmp_path: Path) -> None:
    """Reports are counted, or numbered by the epoch that they say."""
    told: list[EpochReport] = []
    lent = context(tmp_path, told)
    lent.report({"x": 1})
    lent.report({"x": 1, "epoch": 5})
    assert [(report.epoch, report.metrics) for report in told] == [(1, {"x": 1.0}), (5, {"x": 1.0})]


def test_a_damaged_state(tmp_path: Path) -> None:
    """A bit that turned over in the last state is noticed, and the one before is loaded; without it there is none."""
    kept = KeptState(tmp_path)
    for epoch in (1, 2, 3):
        kept.save({"epoch": epoch, "weights": torch.full((8,), float(epoch))})
        kept.commit()
    newest = tmp_path / "state.safetensors"
    content = bytearray(newest.read_bytes())
    content[-3] ^= 4
    newest.write_bytes(content)
    assert KeptState(tmp_path).load()["epoch"] == 2
    (tmp_path / "state.before.safetensors").write_bytes(b"half")
    assert KeptState(tmp_path).load() is None


def test_what_was_not_reported_does_not_count(tmp_path: Path) -> None:
    """An attempt that is killed between saving an epoch and reporting it trains that epoch again."""
    first = context(tmp_path, [])
    first.checkpoint.save({"epoch": 1})
    first.report({"x": 1})
    first.checkpoint.save({"epoch": 2})
    assert first.checkpoint.load() == {"epoch": 2}
    second = context(tmp_path, [])
    assert second.checkpoint.load() == {"epoch": 1}
    second.checkpoint.save({"epoch": 2})
    second.report({"x": 2})
    assert context(tmp_path, []).checkpoint.load() == {"epoch": 2}


def test_killed_between_two_states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was killed while the new state was written has the old one."""
    kept = KeptState(tmp_path)
    kept.save({"epoch": 1})
    kept.commit()

    def killed(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tunefast.train.lending.write_sealed", killed)
    with pytest.raises(KeyboardInterrupt):
        kept.save({"epoch": 2})
    assert kept.load() == {"epoch": 1}
