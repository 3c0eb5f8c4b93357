"""`tunefast train` without its command line: jobs, going on, and what is written."""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from optuna.trial import FrozenTrial, TrialState
from safetensors.torch import load_file

from tests.train.driving import differing
from tunefast.errors import SpecError, UserError
from tunefast.run import training
from tunefast.run.driver import drive
from tunefast.run.jobs import Job, job_of_spec, job_of_trial
from tunefast.run.line import Line
from tunefast.run.model_files import FILES
from tunefast.run.training import train_job
from tunefast.spec.load import load_spec, parse_spec
from tunefast.spec.progress import Answer, Assignment, EpochReport, Outcome, Verdict
from tunefast.spec.study import StudySpec
from tunefast.store.snapshot import StudySnapshot

RECIPE: dict[str, Any] = {
    "epochs": 12,
    "data": {"name": "digits", "fraction": 0.3},
    "model": {"name": "mlp", "width": 16, "dropout": 0.3, "batch_norm": True},
    "augment": {"crop_padding": 1, "mixup_alpha": 0.1},
    "optimizer": {"name": "adam", "lr": 0.01},
    "batch_size": 32,
    "averaging": {"decay": 0.9},
    "early_stopping": {"monitor": "val_loss", "patience": 2, "min_delta": 0.1},
}
ASSIGNED = Assignment(study="digits", trial=3, token=1, attempt=1, recipe={}, seed=0, threads=1, device="cpu")
PATIENT = {key: value for key, value in RECIPE.items() if key != "early_stopping"}


def spec(recipe: dict[str, Any], **study: Any) -> StudySpec:
    """A spec of one recipe, without a space."""
    return parse_spec({"study": {"name": "digits", **study}, "budget": {"trials": 1}, "recipe": recipe})


def job(recipe: dict[str, Any]) -> Job:
    """The training of a recipe on one thread, as all tests run."""
    return job_of_spec(spec(recipe))._replace(threads=1)


class Listener:
    """Notes what it hears, and stops after an epoch."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.epochs: list[int] = []
        self.gone_on_after: int | None = None
        self._stop_at = stop_at

    def report(self, report: EpochReport) -> None:
        """Note it."""
        self.epochs.append(report.epoch)

    def resumed(self, epoch: int) -> None:
        """Note it."""
        self.gone_on_after = epoch

    def stopping(self) -> bool:
        """At its epoch."""
        return bool(self.epochs) and self.epochs[-1] == self._stop_at


def tried(made: StudySpec, verdict: Callable[[EpochReport], Answer]) -> StudySnapshot:
    """A study whose only trial a worker trained, answered by `verdict`."""
    reports: list[EpochReport] = []

    def ask(report: EpochReport) -> Answer:
        reports.append(report)
        return verdict(report)

    recipe = made.recipe_for({}).table()
    seed = made.trial_seed(3)
    outcome = drive(ASSIGNED.model_copy(update={"recipe": recipe, "seed": seed}), Line(ask))
    assert isinstance(outcome, Outcome)
    complete = outcome.ending == "complete"
    kept = outcome.kept_epoch if complete and outcome.kept_epoch is not None else len(reports)
    trial: FrozenTrial = optuna.trial.create_trial(
        state=TrialState.COMPLETE if complete else TrialState.PRUNED,
        value=reports[kept - 1].metrics["val_accuracy"],
    )
    trial.number = 3
    return StudySnapshot(
        name="digits",
        uuid="u",
        spec=made,
        trials=[trial],
        active_seconds=1.0,
        attempts=[{"trial": 3, "seed": seed, "threads": 1, "reason": outcome.reason}],
        epochs=[{"trial": 3, "epoch": report.epoch} for report in reports],
    )


def go_on(report: EpochReport) -> Answer:
    """Train on."""
    return Answer(verdict=Verdict.CONTINUE)


def at_third(verdict: Verdict, reason: str) -> Callable[[EpochReport], Answer]:
    """An end at the third epoch."""
    return lambda report: Answer(verdict=verdict, reason=reason) if report.epoch == 3 else go_on(report)


@pytest.mark.parametrize(
    ("recipe", "verdict", "epochs"),
    [
        (RECIPE, go_on, None),
        (PATIENT, at_third(Verdict.STOP, "target"), 3),
        (RECIPE, at_third(Verdict.STOP, "target"), 3),
        (PATIENT, at_third(Verdict.STOP, "minutes"), 3),
    ],
    ids=["early stopping", "target", "target before early stopping", "end of time"],
)
def test_a_trial_is_repeated_to_its_value(
    tmp_path: Path, recipe: dict[str, Any], verdict: Callable[[EpochReport], Answer], epochs: int | None
) -> None:
    """However the trial ended: as many epochs, the same kept one, and the value bit for bit."""
    study = tried(spec(recipe), verdict)
    trained = train_job(job_of_trial(study, 3), "cpu", tmp_path, Listener())
    assert trained is not None
    assert trained.metrics["val_accuracy"] == study.trials[0].value
    assert trained.epochs == len(study.epochs)
    assert trained.epochs == epochs or trained.kept_epoch < trained.epochs < 12


def test_a_pruned_trial_trains_to_its_end(tmp_path: Path) -> None:
    """What others were better than is trained whole, and compared with nothing."""
    study = tried(spec(PATIENT), at_third(Verdict.PRUNE, "median"))
    again = job_of_trial(study, 3)
    assert (again.value, again.stop_after) == (None, None)
    trained = train_job(again, "cpu", tmp_path, Listener())
    assert trained is not None
    assert trained.epochs == 12


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """The model of the recipe, trained in one go."""
    assert train_job(job(RECIPE), "cpu", tmp_path / "whole", Listener()) is not None
    return tmp_path / "whole"


def test_a_training_that_was_stopped_goes_on_to_the_same_weights(tmp_path: Path, whole: Path) -> None:
    """The listener stops it twice; only new epochs are reported, and nothing but checkpoints is left meanwhile."""
    directory = tmp_path / "parts"
    first, second, third = Listener(2), Listener(4), Listener()
    assert train_job(job(RECIPE), "cpu", directory, first) is None
    assert [path.name for path in directory.iterdir()] == ["checkpoints"]
    assert train_job(job(RECIPE), "cpu", directory, second) is None
    assert train_job(job(RECIPE), "cpu", directory, third) is not None
    assert (first.epochs, second.epochs, third.epochs[0]) == ([1, 2], [3, 4], 5)
    assert (second.gone_on_after, third.gone_on_after) == (2, 4)
    assert differing(load_file(directory / "model.safetensors"), load_file(whole / "model.safetensors")) == []
    assert {path.name for path in directory.iterdir()} == set(FILES)


def test_a_training_that_died_while_writing_is_written_again(
    tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last checkpoint may be of the epoch that early stopping ended: nothing is trained, the best epoch is kept."""
    directory = tmp_path / "died"
    monkeypatch.setattr("tunefast.train.checkpoint.Checkpoints.due", lambda _self, **_: True)
    with monkeypatch.context() as broken:
        broken.setattr(training, "write_files", lambda *_arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train_job(job(RECIPE), "cpu", directory, Listener())
    after = Listener()
    assert train_job(job(RECIPE), "cpu", directory, after) is not None
    assert after.epochs == []
    assert differing(load_file(directory / "model.safetensors"), load_file(whole / "model.safetensors")) == []


def test_checkpoints_of_another_recipe_are_not_gone_on_with(tmp_path: Path) -> None:
    """They stay, and the message says what to do."""
    assert train_job(job(RECIPE), "cpu", tmp_path, Listener(1)) is None
    with pytest.raises(UserError, match=r"of another recipe or seed; name another directory with -o"):
        train_job(job({**RECIPE, "batch_size": 64}), "cpu", tmp_path, Listener())
    assert list((tmp_path / "checkpoints").iterdir())


def test_a_training_goes_on_with_the_threads_of_its_checkpoints(tmp_path: Path) -> None:
    """On a machine with more cores the last bits would be others."""
    assert train_job(job(RECIPE), "cpu", tmp_path, Listener(1)) is None
    assert train_job(job(RECIPE)._replace(threads=2), "cpu", tmp_path, Listener()) is not None
    assert torch.get_num_threads() == 1
    assert json.loads((tmp_path / "metrics.json").read_text())["threads"] == 1


def test_the_files_say_what_was_trained(whole: Path) -> None:
    """recipe.toml is a spec of the same recipe and seed; history and metrics agree."""
    again = load_spec(whole / "recipe.toml", single=True)
    assert job_of_spec(again).recipe.settings() == {**job(RECIPE).recipe.settings(), "seed": job(RECIPE).seed}
    assert job_of_spec(again).seed == job(RECIPE).seed
    found = json.loads((whole / "metrics.json").read_text())
    with (whole / "history.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    kept = rows[found["kept_epoch"] - 1]
    assert {name: float(kept[name]) for name in ("loss", "accuracy", "val_loss", "val_accuracy")}.items() <= found[
        "metrics"
    ].items()
    assert {"test_loss", "test_accuracy"} <= set(found["metrics"])
    assert [int(row["epoch"]) for row in rows] == list(range(1, found["epochs"] + 1))
    assert found["input_shape"] == [1, 8, 8]
    assert (whole / "model.safetensors").stat().st_mode == (whole / "recipe.toml").stat().st_mode


def test_the_recipe_of_a_regression_can_be_trained_again(tmp_path: Path) -> None:
    """Its metric is none that a spec has by default, and diverged losses are written as JSON knows them."""
    recipe = {
        "epochs": 3,
        "data": {"name": "sklearn", "set": "diabetes"},
        "loss": {"name": "mse"},
        "optimizer": {"name": "sgd", "lr": 1e30},
    }
    made = spec(recipe, metric="val_mae", seed=5)
    assert train_job(job_of_spec(made)._replace(threads=1), "cpu", tmp_path, Listener()) is not None
    again = load_spec(tmp_path / "recipe.toml", single=True)
    assert again.study.metric == "val_mae"
    assert job_of_spec(again).seed == made.trial_seed(0)
    assert json.loads((tmp_path / "metrics.json").read_text())["metrics"]["val_mae"] is None
    assert tomllib.loads((tmp_path / "recipe.toml").read_text())["recipe"]["optimizer"]["lr"] == 1e30


def test_what_cannot_be_trained_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    """A batch that no epoch fills, a directory that is a file, and a trial that is not there."""
    made = job(RECIPE)
    unfilled = made._replace(recipe=made.recipe.model_copy(update={"drop_last": True, "batch_size": 1000}))
    with pytest.raises(SpecError, match="drop_last"):
        train_job(unfilled, "cpu", tmp_path / "none", Listener())
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be made a directory"):
        train_job(made, "cpu", tmp_path / "file", Listener())
    with pytest.raises(UserError, match="has no trial 4; it has 1, counted from 0"):
        job_of_trial(tried(spec({**RECIPE, "epochs": 1}), go_on), 4)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
