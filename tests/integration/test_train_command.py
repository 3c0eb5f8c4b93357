"""`tunefast train` in real processes: what it writes, what it repeats, what it goes on with."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import tunefast
from tests.integration.processes import Terminal, ended, kill, listen
from tests.integration.specs import objective
from tests.integration.test_bad_input import refused
from tests.train.driving import CPU, differing
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.train.datasets import load_dataset

RECIPE = """
[recipe]
epochs = 8
data = { name = "digits" }
model = { name = "mlp", width = 32, batch_norm = true, dropout = 0.2 }
augment = { crop_padding = 1, mixup_alpha = 0.2 }
averaging = { decay = 0.9 }
early_stopping = { monitor = "val_loss", patience = 1, min_delta = 0.1 }
"""
STUDY = f"""
[study]
name = "models"
sampler = {{ name = "grid" }}
pruner = {{ name = "median", warmup_epochs = 1, startup_trials = 1 }}
{RECIPE}
[space]
"optimizer.lr" = {{ choices = [0.01, 1e-6] }}
batch_size = {{ choices = [32, 64, 128] }}
"""
RACE = f"""
[study]
name = "race"
pruner = {{ name = "none" }}
[budget]
trials = 50
target = 0.5
{RECIPE.replace("epochs = 8", "epochs = 500")}
[space]
"optimizer.lr" = {{ low = 0.001, high = 0.003 }}
"""
LONG = """
[recipe]
epochs = 150
data = { name = "digits" }
model = { name = "mlp", width = 128, dropout = 0.2 }
augment = { mixup_alpha = 0.2 }
averaging = {}
"""
FILES = {"model.safetensors", "recipe.toml", "metrics.json", "history.csv"}
OTHER_PROGRAM = """
import sys
import numpy

inputs, outputs = numpy.load("inputs.npy"), numpy.load("outputs.npy")
if sys.argv[1].endswith("onnx"):
    import onnxruntime
    session = onnxruntime.InferenceSession(sys.argv[1])
    answer = lambda batch: session.run(["outputs"], {"inputs": batch})[0]
else:
    import torch
    module = torch.export.load(sys.argv[1]).module()
    answer = lambda batch: module(torch.from_numpy(batch)).numpy()
for rows in (slice(0, 1), slice(1, 8), slice(8, None)):
    found = answer(inputs[rows])
    assert found.shape == outputs[rows].shape, found.shape
    assert abs(found - outputs[rows]).max() < 1e-4
assert not [name for name in sys.modules if name.startswith("tunefast")]
"""


@contextmanager
def working_in(directory: Path) -> Iterator[Terminal]:
    """A terminal for tests that share one study."""
    runtime = directory / "run"
    runtime.mkdir(mode=0o700)
    yield Terminal(directory, {"XDG_RUNTIME_DIR": str(runtime)})


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A terminal in which two studies have run: one to its end, and one to its target."""
    with working_in(tmp_path_factory.mktemp("train")) as terminal:
        for name, text in (("models", STUDY), ("race", RACE)):
            terminal.tunefast("study", "run", str(terminal.write(f"{name}.toml", text)), "-n", "2")
        yield terminal


@pytest.fixture
def one_core() -> Iterator[None]:
    """Training on a single thread, which others on the machine cannot hold up at every step."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    yield
    os.sched_setaffinity(0, cores)


def test_a_trial_is_trained_again_to_the_last_bit_and_its_model_kept(studied: Terminal) -> None:
    """The best trial, which early stopping ended: its value, its best epoch, and files that say the same."""
    best = studied.study("models").best
    assert best is not None
    directory = studied.directory / f"models-trial-{best.number}"
    output = studied.tunefast("train", "--study", "models", "--export", "onnx").stdout
    assert f"The trial's val_accuracy was {best.value!r}: the same to the last bit." in output
    assert max(len(line) for line in output.splitlines() if not line.startswith("In ")) <= 80
    assert {path.name for path in directory.iterdir()} == {*FILES, "model.onnx"}
    found = json.loads((directory / "metrics.json").read_text())
    with (directory / "history.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert found["kept_epoch"] < found["epochs"] == len(rows) < 8
    assert float(rows[found["kept_epoch"] - 1]["val_accuracy"]) == best.value == found["metrics"]["val_accuracy"]
    recipe = tomllib.loads((directory / "recipe.toml").read_text())["recipe"]
    assert recipe["optimizer"]["lr"] == best.params["optimizer.lr"]
    assert recipe["augment"]["mixup_alpha"] == 0.2
    assert "holds a model already" in refused(studied, "train", "--study", "models", "--trial", str(best.number))


def test_a_trial_that_the_target_stopped_is_trained_up_to_there(studied: Terminal) -> None:
    """It ends at the epoch of the target with its value; --json prints one document, that of metrics.json."""
    best = studied.study("race").best
    assert best is not None
    assert best.user_attrs["reason"] == "target"
    found = studied.json("train", "--study", "race", "--trial", str(best.number), "--export", "torch")
    directory = studied.directory / found.pop("directory")
    assert found.pop("files") == ["recipe.toml", "history.csv", "metrics.json", "model.safetensors", "model.pt2"]
    assert found == json.loads((directory / "metrics.json").read_text())
    assert found["metrics"]["val_accuracy"] == best.value
    assert found["epochs"] == found["kept_epoch"] < 500


@pytest.mark.usefixtures("one_core")
def test_exports_and_weights_give_the_same_outputs(studied: Terminal) -> None:
    """ONNX and torch.export, without tunefast, agree with `load_model` within 1e-4 for any number of real samples.

    And `load_model` is right on the test part as often as was measured.
    """
    directory = model_of(studied, "models", "onnx")
    studied.tunefast("train", f"{directory.name}/recipe.toml", "--export", "torch", "-o", "again")
    again = studied.directory / "again"
    for place, export in ((directory, "model.onnx"), (again, "model.pt2")):
        inputs, targets = samples_to_test(place)
        outputs = tunefast.load_model(place)(inputs)
        measured = json.loads((place / "metrics.json").read_text())["metrics"]["test_accuracy"]
        assert (outputs.argmax(dim=1) == targets).double().mean().item() == pytest.approx(measured)
        np.save(place / "inputs.npy", inputs.numpy())
        np.save(place / "outputs.npy", outputs.numpy())
        elsewhere = subprocess.run(
            [sys.executable, "-W", "error", "-c", OTHER_PROGRAM, export],
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
        )
        assert elsewhere.returncode == 0, elsewhere.stderr


@pytest.mark.usefixtures("one_core")
def test_killed_and_interrupted_it_goes_on_to_the_same_weights(studied: Terminal) -> None:
    """After Ctrl-C and after SIGKILL the same command goes on, to the weights and history of one run, bit for bit."""
    spec = studied.write("long.toml", LONG)
    arguments = ("train", str(spec), "-o", "cut")
    checkpoints = studied.directory / "cut" / "checkpoints"
    with studied.started(*arguments) as run:
        listen(run, "epoch 3/")
        os.kill(run.pid, signal.SIGINT)
        stopped = re.search(r"Stopped after epoch (\d+); the same command goes on", ended(run, 130))
    assert stopped is not None
    assert not (studied.directory / "cut" / "model.safetensors").exists()
    with studied.started(*arguments) as run:
        listen(run, f"Going on after epoch {stopped[1]} of 150.")
        listen(run, "epoch 80/150")
        kill(run.pid)
    assert "Going on after epoch" in studied.tunefast(*arguments).stdout
    studied.tunefast("train", str(spec))
    cut, whole = studied.directory / "cut", studied.directory / "long"
    assert differing(load_file(cut / "model.safetensors"), load_file(whole / "model.safetensors")) == []
    assert without_seconds(cut) == without_seconds(whole)
    assert not checkpoints.exists()


def test_what_cannot_be_trained_is_one_message(studied: Terminal) -> None:
    """Each mistake is told before anything is read or written, with what to do instead."""
    studied.write("own.toml", objective("own", "paced", 1).partition("[space]")[0])
    study = ("train", "--study", "models")
    cases = {
        ("train",): "say what to train",
        ("train", "race.toml", "--study", "models"): "say what to train",
        ("train", "race.toml"): "race searches optimizer.lr. Run it as a study",
        ("train", "own.toml"): "own trains with its own objective 'tests.integration.objectives:paced'",
        ("train", "digts"): "Did you mean 'digits'?",
        (*study, "--trial", "6"): "study 'models' has no trial 6; it has 6, counted from 0",
        (*study, "--trial", "first"): "--trial first: give a trial's number, or best",
        ("train", "--study", "modles"): "Did you mean 'models'?",
    }
    for arguments, message in cases.items():
        assert message in refused(studied, *arguments), arguments


def model_of(studied: Terminal, study: str, export: str) -> Path:
    """The directory of the model of a study's best trial, which is trained where it was not yet."""
    best = studied.study(study).best
    assert best is not None
    directory = studied.directory / f"{study}-trial-{best.number}"
    if not directory.exists():
        studied.tunefast("train", "--study", study, "--export", export)
    return directory


def samples_to_test(directory: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """The test part of a model's data: inputs [N, C, H, W] from 0 to 255 and classes [N]."""
    recipe = TrainingRecipe.model_validate(tomllib.loads((directory / "recipe.toml").read_text())["recipe"])
    test = load_dataset(recipe.data, CPU).test
    return test.inputs[test.rows].permute(0, 3, 1, 2).float().contiguous(), test.targets[test.rows]


def without_seconds(directory: Path) -> list[dict[str, Any]]:
    """The rows of a history, less what a clock says."""
    with (directory / "history.csv").open() as handle:
        return [{key: row[key] for key in row if not key.endswith("_seconds")} for row in csv.DictReader(handle)]
