"""Files that grow while they are read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tunefast.errors import UserError
from tunefast.run.script.following import follow


def test_csv(tmp_path: Path) -> None:
    """Each whole row comes once; cells that are empty or text are left out; a file begun anew is read anew."""
    path = tmp_path / "m.csv"
    path.write_text("epoch,acc\n9,0.9\n")
    followed = follow(path)
    assert list(followed.new()) == []
    path.write_text("epoch,acc,name\n")
    with path.open("a") as handle:
        handle.write("1,0.5,x\n2,,y\n3,0.")
        handle.flush()
        assert list(followed.new()) == [{"epoch": 1, "acc": 0.5}, {"epoch": 2}]
        handle.write("7\n")
    assert list(followed.new()) == [{"epoch": 3, "acc": 0.7}]
    assert list(followed.new()) == []


@pytest.mark.parametrize(
    ("name", "before", "after"), [("m.csv", "acc\n0.1\n", "0.2\n"), ("m.jsonl", '{"acc": 0.1}\n', '{"acc": 0.2}\n')]
)
def test_a_position(tmp_path: Path, name: str, before: str, after: str) -> None:
    """Another reader goes on where one was, and has all where there was nothing."""
    path = tmp_path / name
    nothing = follow(path).position
    path.write_text(before)
    position = json.loads(json.dumps(follow(path).position))
    with path.open("a") as handle:
        handle.write(after)
    assert list(follow(path, position).new()) == [{"acc": 0.2}]
    assert list(follow(path, nothing).new()) == [{"acc": 0.1}, {"acc": 0.2}]
    assert list(follow(path).new()) == []


def test_csv_with_another_column(tmp_path: Path) -> None:
    """Lightning's logger writes the whole file again when a column is new; its rows come once nevertheless."""
    path = tmp_path / "m.csv"
    followed = follow(path)
    assert list(followed.new()) == []
    path.write_text("epoch,loss\n0,0.5\n")
    assert list(followed.new()) == [{"epoch": 0, "loss": 0.5}]
    path.write_text("epoch,loss,acc\n0,0.5,\n0,,0.9\n")
    assert list(followed.new()) == [{"epoch": 0, "acc": 0.9}]


def test_json_lines(tmp_path: Path) -> None:
    """Whole lines only; what is no JSON object is passed over."""
    path = tmp_path / "m.jsonl"
    followed = follow(path)
    path.write_bytes(b'{"epoch": 1, "acc": 0.5}\nhello\n{"acc"')
    assert list(followed.new()) == [{"epoch": 1, "acc": 0.5}]
    with path.open("a") as handle:
        handle.write(": 0.75}\n")
    assert list(followed.new()) == [{"acc": 0.75}]
    path.write_text('{"acc": 1}\n')
    assert list(followed.new()) == [{"acc": 1}]


def test_tensorboard(tmp_path: Path) -> None:
    """What torch's writer writes: scalars step by step, in all directories below, but for what was there before."""
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(tmp_path / "old") as writer:
        writer.add_scalar("acc", 0.1, 1)
    followed = follow(tmp_path)
    assert list(followed.new()) == []
    writer = SummaryWriter(tmp_path / "run" / "v0")
    writer.add_scalar("loss", 0.5, 1)
    writer.add_scalar("acc", 0.25, 1)
    writer.flush()
    assert list(followed.new()) == [{"step": 1, "loss": 0.5}, {"step": 1, "acc": 0.25}]
    writer.add_scalar("acc", 0.75, 2)
    writer.close()
    position = json.loads(json.dumps(followed.position))
    assert list(followed.new()) == [{"step": 2, "acc": 0.75}]
    assert list(follow(tmp_path, position).new()) == [{"step": 2, "acc": 0.75}]
    assert next(follow(tmp_path, {}).new()) == {"step": 1, "acc": pytest.approx(0.1)}


def test_without_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the package is missing people are told which one."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"pip install 'tunefast\[tensorboard\]'"):
        follow(tmp_path / "runs")
