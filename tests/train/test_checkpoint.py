"""Checkpoints: whole or not there, of the same trial, with everything in them. `test_killed` resumes all recipes."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from tests.conftest import REPOSITORY
from tests.train.driving import CPU, carry_on, differing, drive, lane, recipe, weights, without_times
from tests.train.killed import AfterEachEpoch
from tunefast.errors import CheckpointError
from tunefast.spec.progress import Answer, CheckpointFile, EpochReport, Verdict
from tunefast.train import checkpoint, sealed
from tunefast.train.checkpoint import Checkpoints
from tunefast.train.lane import Lane
from tunefast.train.state import capture

EVERYTHING: dict[str, Any] = {
    "model": {"name": "small_cnn", "width": 4, "dropout": 0.2},
    "optimizer": {"name": "adamw", "amsgrad": True},
    "precision": "fp16",
    "averaging": {"decay": 0.9},
    "augment": {"flip": "random", "mixup_alpha": 0.2},
    "schedule": {"name": "plateau", "patience": 1},
    "data": {"name": "digits", "fraction": 0.1, "validation": 0.02},
    "batch_size": 32,
}


def _keep_second(report: EpochReport) -> Answer:
    return Answer(verdict=Verdict.CONTINUE, keep=report.epoch == 2)


def _report(epoch: int) -> EpochReport:
    metrics = {"loss": float("nan"), "val_loss": 0.1, "accuracy": 0.5, "val_accuracy": 0.3}
    return EpochReport(epoch=epoch, metrics=metrics, learning_rate=0.1)


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def _saved(directory: Path, epochs: int = 3, **options: Any) -> Lane:
    """A lane that was saved after each of some epochs."""
    trained, checkpoints = lane(epochs=5, **options), Checkpoints(directory)
    for epoch in range(1, epochs + 1):
        trained.train_epoch(epoch)
        checkpoints.save(trained, [_report(number) for number in range(1, epoch + 1)])
    return trained


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_resumed_in_the_same_process(tmp_path: Path, cut: int) -> None:
    """A trial that is paused after any epoch and resumed ends as if it had not been, kept weights and all."""
    made = recipe(**EVERYTHING, epochs=5)
    whole, network = drive(made, 3, _keep_second)

    def pause(report: EpochReport) -> Answer:
        verdict = Verdict.PAUSE if report.epoch == cut else Verdict.CONTINUE
        return _keep_second(report).model_copy(update={"verdict": verdict})

    first, _ = drive(made, 3, pause, checkpoints=Checkpoints(tmp_path))
    torch.manual_seed(99)
    second, again = drive(made, 3, _keep_second, checkpoints=Checkpoints(tmp_path))
    assert [report.epoch for report in first + second] == [1, 2, 3, 4, 5]
    assert without_times(first + second) == without_times(whole)
    assert not differing(weights(again), weights(network))


def test_everything_is_captured(tmp_path: Path) -> None:
    """Weights, averages, kept weights, buffers and loss scale of a resumed lane are those that were saved."""
    made = _saved(tmp_path, **EVERYTHING)
    made.keep_weights()
    reports = [_report(epoch) for epoch in (1, 2, 3)]
    Checkpoints(tmp_path).save(made, reports)
    again = lane(epochs=5, **EVERYTHING)
    assert differing(capture(again)[0] | capture(made)[0], capture(made)[0] | capture(again)[0])
    resumed = Checkpoints(tmp_path).resume(again)
    assert [report.model_dump_json() for report in resumed] == [report.model_dump_json() for report in reports]
    (mine, facts), (yours, others) = capture(again), capture(made)
    assert not differing(mine, yours)
    assert facts == others
    assert {name.partition(".")[0] for name in mine} == {"network", "average", "kept", "optimizer"}


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "adagrad", "rmsprop", "muon"])
def test_buffers_lie_as_they_did(tmp_path: Path, optimizer: str) -> None:
    """A restored buffer has the memory layout of its parameter, as fused kernels take for granted."""
    options: dict[str, Any] = {
        **EVERYTHING,
        "optimizer": {"name": optimizer, **({"momentum": 0.9} if optimizer in ("sgd", "rmsprop") else {})},
    }
    made, again = _saved(tmp_path, **options), lane(epochs=5, **options)
    Checkpoints(tmp_path).resume(again)
    kernels = 0
    for parameter, twin in zip(again.network.parameters(), made.network.parameters(), strict=True):
        assert parameter.stride() == twin.stride()
        assert again.optimizer.state[parameter].keys() == made.optimizer.state[twin].keys()
        for name, value in again.optimizer.state[parameter].items():
            original = made.optimizer.state[twin][name]
            assert (value.stride(), value.dtype, value.device) == (original.stride(), original.dtype, original.device)
            kernels += value.ndim == 4
    assert kernels >= 2


def test_threads_are_noted(tmp_path: Path) -> None:
    """A checkpoint says with how many threads it was trained, since with others the last bits differ."""
    _saved(tmp_path)
    found = Checkpoints(tmp_path).latest()
    assert found is not None
    assert found.threads == torch.get_num_threads() == 1


def test_two_stay(tmp_path: Path) -> None:
    """The last two checkpoints stay, beside nothing else: no scratch file, no lock."""
    _saved(tmp_path, epochs=5)
    assert _names(tmp_path) == ["epoch-000004.safetensors", "epoch-000005.safetensors"]


def test_nothing_there(tmp_path: Path) -> None:
    """Without a checkpoint a trial starts from the beginning."""
    checkpoints = Checkpoints(tmp_path / "none")
    assert checkpoints.latest() is None
    assert checkpoints.resume(lane()) == checkpoints.reports() == []
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.999])
def test_cut_short(tmp_path: Path, share: float) -> None:
    """A newest file that lost its end falls back to the one before, and the trial ends as it would have."""
    made = recipe(**EVERYTHING, epochs=4)
    whole, network = drive(made)
    drive(made, driver=lambda report: Answer(verdict=Verdict.STOP if report.epoch == 3 else Verdict.CONTINUE),
          checkpoints=AfterEachEpoch(tmp_path))  # fmt: skip
    newest = tmp_path / "epoch-000003.safetensors"
    os.truncate(newest, int(newest.stat().st_size * share))
    assert len(Checkpoints(tmp_path).reports()) == 2
    reports, again = drive(made, checkpoints=AfterEachEpoch(tmp_path))
    assert without_times(reports) == without_times(whole)[2:]
    assert not differing(weights(again), weights(network))
    assert len(Checkpoints(tmp_path).reports()) == 4


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with two good checkpoints."""
    directory = tmp_path_factory.mktemp("two")
    _saved(directory, 2, model={"name": "mlp", "width": 2, "depth": 1})
    return directory


@given(st.data())
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_single_bits(two: Path, data: st.DataObject) -> None:
    """Any one bit that turned over in the newest file is noticed, wherever it is."""
    newest = two / "epoch-000002.safetensors"
    good = newest.read_bytes()
    (header,) = struct.unpack("<Q", good[:8])
    end = data.draw(st.sampled_from([8, 8 + header, len(good)]))
    position, bit = data.draw(st.integers(0, end - 1)), data.draw(st.integers(0, 7))
    bad = bytearray(good)
    bad[position] ^= 1 << bit
    try:
        newest.write_bytes(bytes(bad))
        assert len(Checkpoints(two).reports()) == 1
    finally:
        newest.write_bytes(good)
    assert len(Checkpoints(two).reports()) == 2


def test_foreign_files(tmp_path: Path) -> None:
    """Files that are none of ours are neither read nor removed, nor taken for newer ones, whatever they are called."""
    (tmp_path / "epoch-000008.safetensors").mkdir()
    (tmp_path / "epoch-notes.safetensors").write_text("mine")
    (tmp_path / "epoch-000007.txt").write_text("mine")
    save_file({"x": torch.zeros(1)}, tmp_path / "epoch-000009.safetensors")
    save_file({"x": torch.zeros(1)}, tmp_path / "model.safetensors")
    others = _names(tmp_path)
    assert Checkpoints(tmp_path).latest() is None
    _saved(tmp_path, 3)
    assert _names(tmp_path) == sorted([*others, "epoch-000002.safetensors", "epoch-000003.safetensors"])
    assert len(Checkpoints(tmp_path).reports()) == 3


def test_other_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint of a format that this version does not know is no checkpoint to it."""
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "FORMAT", checkpoint.FORMAT + 1)
        _saved(tmp_path, 1)
    assert Checkpoints(tmp_path).latest() is None


@pytest.mark.parametrize("other", [{"seed": 1}, {"batch_size": 32}, {"optimizer": {"name": "sgd", "lr": 0.2}}])
def test_another_trial_is_refused(tmp_path: Path, other: dict[str, Any]) -> None:
    """Checkpoints of another recipe or seed are refused, and the lane stays as it was."""
    _saved(tmp_path)
    fresh = lane(**{"epochs": 5, **other})
    before = weights(fresh.network)
    with pytest.raises(CheckpointError, match="another recipe or seed"):
        Checkpoints(tmp_path).resume(fresh)
    assert not differing(weights(fresh.network), before)


def test_failed_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails halfway leaves the old checkpoints as they are, and nothing else."""
    trained = _saved(tmp_path, 2)

    def full(tensors: Any, path: Path, metadata: Any) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sealed, "save_file", full)
    with pytest.raises(OSError, match="No space left"):
        Checkpoints(tmp_path).save(trained, [_report(number) for number in (1, 2, 3)])
    assert _names(tmp_path) == ["epoch-000001.safetensors", "epoch-000002.safetensors"]
    assert len(Checkpoints(tmp_path).reports()) == 2


def test_scratch_of_a_killed_attempt(tmp_path: Path) -> None:
    """What a process left that was killed while it wrote is removed when the trial is resumed."""
    _saved(tmp_path, 2)
    scratch = tmp_path / ".epoch-000003.safetensors.4711"
    scratch.write_bytes(b"half")
    Checkpoints(tmp_path).resume(lane(epochs=5))
    assert not scratch.exists()


def test_when_one_is_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is due when the last is old enough, and writing takes no more than 2 % of the time."""
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    checkpoints = Checkpoints(tmp_path, every_seconds=10)
    assert not checkpoints.due()
    clock[0] = 110.0
    assert checkpoints.due()

    def slow(path: Path, tensors: Any, facts: Any) -> None:
        path.touch()
        clock[0] += 3

    monkeypatch.setattr(checkpoint, "write_sealed", slow)
    checkpoints.save(lane(), [_report(1)])
    for seconds, due in ((9, False), (11, False), (149, False), (151, True)):
        clock[0] = 113.0 + seconds
        assert checkpoints.due() is due


def test_a_trial_that_ended_leaves_none_of_its_own_accord(tmp_path: Path) -> None:
    """A short trial that nobody interrupts writes no checkpoint at all."""
    drive(recipe(), driver=carry_on, checkpoints=Checkpoints(tmp_path))
    assert not list(tmp_path.iterdir())


def test_plain_tensors_and_json(tmp_path: Path) -> None:
    """A checkpoint is a safetensors file with JSON in its header: any reader can open it, and none executes it."""
    _saved(tmp_path)
    newest = tmp_path / "epoch-000003.safetensors"
    content = newest.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + size])
    facts = json.loads(header["__metadata__"]["tunefast"])
    assert facts["seed"] == 0
    assert [report["epoch"] for report in facts["reports"]] == [1, 2, 3]
    assert load_file(newest).keys() == header.keys() - {"__metadata__"}


@pytest.mark.parametrize("module", ["checkpoint", "sealed", "state", "lending"])
def test_nothing_is_unpickled(module: str) -> None:
    """Neither pickle nor what torch makes of it is used."""
    tree = ast.parse((REPOSITORY / "tunefast" / "train" / f"{module}.py").read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    called = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not {
        name for name in imported if name.partition(".")[0] in ("pickle", "dill", "marshal", "shelve", "joblib")
    }
    assert not called & {"torch.load", "torch.save", "np.load"}


def test_safe_to_resume_from_bytes_of_another_device() -> None:
    """What is captured says nothing of a device: tensors are restored where the lane's own are."""
    tensors, facts = capture(lane())
    assert "device" not in json.dumps(facts)
    assert {value.device for value in tensors.values()} == {CPU}


def test_what_was_noted_decides(tmp_path: Path) -> None:
    """A whole file of another content than was noted is not used, and said; one nobody noted is judged by itself."""
    files: list[CheckpointFile] = []
    damaged: list[str] = []
    trained, checkpoints = lane(epochs=5), Checkpoints(tmp_path, on_saved=files.append)
    for epoch in (1, 2):
        trained.train_epoch(epoch)
        path = checkpoints.save(trained, [_report(number) for number in range(1, epoch + 1)])
        assert path is not None
        assert files[-1].num_bytes == path.stat().st_size
        assert files[-1].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [file.epoch for file in files] == [1, 2]
    other = files[1].model_copy(update={"sha256": "0" * 64})
    found = Checkpoints(tmp_path, known=[files[0], other], on_trouble=damaged.append).latest()
    assert found is not None
    assert len(found.reports) == 1
    assert damaged == ["the checkpoint of epoch 2 cannot be used (its content has changed); it goes on from epoch 1"]
    assert len(Checkpoints(tmp_path, known=files).reports()) == len(Checkpoints(tmp_path).reports()) == 2


def test_what_a_verdict_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause leaves a checkpoint always, an end after a training that was long beside what it costs, pruning never."""
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    made, reports = lane(epochs=5), [_report(1)]

    def left(verdict: Verdict, seconds: float) -> bool:
        place = tmp_path / f"{verdict}-{seconds}"
        clock[0] = 100.0
        checkpoints = Checkpoints(place, every_seconds=10)
        clock[0] += seconds
        checkpoints.after(made, reports, Answer(verdict=verdict))
        return place.exists()

    assert left(Verdict.PAUSE, 0)
    assert (left(Verdict.STOP, 0.5), left(Verdict.STOP, 2)) == (False, True)
    assert not left(Verdict.PRUNE, 100)
    assert (left(Verdict.CONTINUE, 9), left(Verdict.CONTINUE, 11)) == (False, True)
    reports[0] = _report(5)
    assert left(Verdict.CONTINUE, 2.5)


@pytest.mark.parametrize(("times", "kept"), [(10, 2), (3.5, 2), (2.5, 1), (1.5, 0)])
def test_room(tmp_path: Path, times: float, kept: int) -> None:
    """With room for fewer than three a trial keeps one checkpoint, with room for fewer than two none, which is said."""
    said: list[str] = []
    made = lane(epochs=5)
    made.train_epoch(1)
    largest = Checkpoints(tmp_path / "free").save(made, [_report(number) for number in range(1, 5)])
    assert largest is not None
    room = int(times * largest.stat().st_size)
    checkpoints = Checkpoints(tmp_path / "bound", room=room, on_trouble=said.append)
    for epoch in (1, 2, 3, 4):
        checkpoints.save(made, [_report(number) for number in range(1, epoch + 1)])
        files = list((tmp_path / "bound").glob("*"))
        assert sum(file.stat().st_size for file in files) + largest.stat().st_size * bool(files) <= room
    assert len(list((tmp_path / "bound").glob("*"))) == kept
    assert len(said) == (kept == 0)
