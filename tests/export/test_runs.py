"""A study as TensorBoard's event files, read back with TensorBoard's own reader."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.export.test_tables import REPORT, complete, failed, stored
from tunefast.errors import UserError
from tunefast.export import runs as exported
from tunefast.export.runs import runs, write_runs

pytest.importorskip("tensorboard", reason="tensorboard is not installed")


def read(path: Path) -> Any:
    """What TensorBoard reads of a run."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(path)).Reload()


def test_a_run_a_trial(tmp_path: Path) -> None:
    """Curves by epoch, dated by what the trial spent; objectives and settings as hyperparameters."""
    before = datetime.now(UTC).timestamp()
    study = stored(tmp_path, complete(0.5, x=1, how="a"), failed("KeyError"))
    assert write_runs(study, tmp_path / "tb") == 2
    assert sorted(path.name for path in (tmp_path / "tb").iterdir()) == ["trial-0", "trial-1"]
    found = read(tmp_path / "tb" / "trial-0")
    assert {"score", "trial", "objective/score"} == set(found.Tags()["scalars"])
    events = found.Scalars("score")
    assert [(event.step, event.value) for event in events] == [(1, 0.5), (2, 0.5)]
    assert events[0].wall_time - before == pytest.approx(2.5, abs=2.0)
    assert events[1].wall_time - events[0].wall_time == pytest.approx(REPORT.train_seconds + REPORT.eval_seconds)
    start = found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    assert b"how" in start
    assert read(tmp_path / "tb" / "trial-1").Tags()["scalars"] == []


def test_names_sort_as_numbers(tmp_path: Path) -> None:
    """So that TensorBoard lists trials in their order."""
    study = stored(tmp_path, *(complete(0.5) for _ in range(11)))
    names = [run.name for run in runs(study)]
    assert names == sorted(names)
    assert names[0] == "trial-00"


def test_nothing_is_mixed_or_left_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An existing directory is refused; one that cannot be written leaves nothing."""
    study = stored(tmp_path, complete(0.5))
    (tmp_path / "tb").mkdir()
    with pytest.raises(UserError, match="exists already; name a new directory"):
        write_runs(study, tmp_path / "tb")
    with pytest.raises(UserError, match="there is no directory"):
        write_runs(study, tmp_path / "missing" / "tb")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exported, "_write", full)
    with pytest.raises(UserError, match="No space left on device"):
        write_runs(study, tmp_path / "new")
    left = {path.name for path in tmp_path.iterdir() if not path.name.startswith("study.db")}
    assert left == {"tb"}


def test_without_tensorboard_there_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install."""
    study = stored(tmp_path, complete(0.5))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(UserError, match=r"pip install 'tunefast\[tensorboard\]'"):
        write_runs(study, tmp_path / "tb")
