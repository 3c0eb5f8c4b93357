"""A study in directories of trackers, read back with their own libraries."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from tests.export.test_tables import REPORT, complete, failed, stored
from tunefast.errors import UserError
from tunefast.export import trackers
from tunefast.export.runs import runs
from tunefast.export.tables import trial_table
from tunefast.export.trackers import MLFLOW_FILE, TRACKERS, Tracker, write_directory


def read(path: Path) -> Any:
    """What TensorBoard reads of a run."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(path)).Reload()


def test_tensorboard(tmp_path: Path) -> None:
    """Curves by epoch, dated by what the trial spent; objectives and settings as hyperparameters."""
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    before = datetime.now(UTC).timestamp()
    study = stored(tmp_path, complete(0.5, x=1, how="a"), failed("KeyError"))
    assert write_directory(study, tmp_path / "tb", "tensorboard") == 2
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


@pytest.mark.filterwarnings("ignore")  # MLflow's own, of what its libraries deprecate
def test_mlflow(tmp_path: Path) -> None:
    """An experiment of the study's name, whose runs have curves, objectives, parameters, state and reason."""
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    study = stored(tmp_path, complete(0.5, x=1, how="a"), failed("KeyError"), {"state": TrialState.RUNNING})
    assert write_directory(study, tmp_path / "ml", "mlflow") == 3
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'ml' / MLFLOW_FILE}")
    experiment = client.get_experiment_by_name(study.name)
    found = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert {name: run.info.status for name, run in found.items()} == {
        "trial-0": "FINISHED",
        "trial-1": "FAILED",
        "trial-2": "RUNNING",
    }
    run = found["trial-0"]
    assert run.data.params == {"x": "1", "how": "a"}
    assert run.data.metrics == {"score": 0.5, "trial": 7.0, "objective/score": 0.5}
    ended = trial_table(study).rows[0]["ended"]
    assert run.info.end_time == round(ended.timestamp() * 1000)
    history = client.get_metric_history(run.info.run_id, "score")
    assert [(metric.step, metric.value) for metric in history] == [(1, 0.5), (2, 0.5)]
    assert (found["trial-1"].data.tags["state"], found["trial-1"].data.tags["reason"]) == ("failed", "error")


def test_names_sort_as_numbers(tmp_path: Path) -> None:
    """So that TensorBoard lists trials in their order."""
    study = stored(tmp_path, *(complete(0.5) for _ in range(11)))
    names = [run.name for run in runs(study)]
    assert names == sorted(names)
    assert names[0] == "trial-00"


def test_nothing_is_mixed_or_left_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An existing directory is refused; one that cannot be written leaves nothing."""
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    study = stored(tmp_path, complete(0.5))
    (tmp_path / "tb").mkdir()
    with pytest.raises(UserError, match="exists already; name a new directory"):
        write_directory(study, tmp_path / "tb", "tensorboard")
    with pytest.raises(UserError, match="there is no directory"):
        write_directory(study, tmp_path / "missing" / "tb", "tensorboard")

    def full(_study: str, _runs: Any, directory: Path) -> None:
        (directory / "half").write_text("")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(trackers._WRITERS, "tensorboard", full)
    with pytest.raises(UserError, match="No space left on device"):
        write_directory(study, tmp_path / "new", "tensorboard")
    left = {path.name for path in tmp_path.iterdir() if not path.name.startswith("study.db")}
    assert left == {"tb"}


@pytest.mark.parametrize("tracker", TRACKERS)
def test_without_its_library_there_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracker: Tracker
) -> None:
    """It says what to install."""
    study = stored(tmp_path, complete(0.5))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(UserError, match=rf"pip install 'tunefast\[{tracker}\]'"):
        write_directory(study, tmp_path / "new", tracker)
