"""Models, data sets, losses, metrics, optimizers and augmentations of the user's own, in our training loop."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import REPOSITORY
from tests.train.driving import drive, recipe
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.spec.progress import Answer, EpochReport, Verdict
from tunefast.train.checkpoint import Checkpoints
from tunefast.train.datasets import load_dataset
from tunefast.train.export import deployable, export_model, load_model, write_model
from tunefast.train.lane import Lane
from tunefast.train.loop import open_lane, train
from tunefast.train.timing import measure_cost

CPU = torch.device("cpu")
DIGITS = {"data": {"name": "digits", "fraction": 0.2}, "epochs": 3, "batch_size": 32}


def _own(name: str, **options: Any) -> dict[str, Any]:
    return {"name": "own", "path": f"tests.own_code:{name}", "options": options}


def _data(name: str, **settings: Any) -> dict[str, Any]:
    return {"name": "torch_dataset", "path": f"tests.own_code:{name}", "root": str(REPOSITORY), **settings}


SEGMENTATION: dict[str, Any] = {
    "data": _data("Shapes", as_is=True),
    "model": _own("Segmenter", width=8),
    "loss": {"name": "own", "path": "torch.nn:CrossEntropyLoss", "options": {"weight": None}},
    "metrics": [{"path": "tests.own_code:Iou"}],
    "augment": {"own": {"path": "tests.own_code:flipped", "options": {"share": 0.3}}},
    "optimizer": {"name": "adam", "lr": 0.02},
    "epochs": 6,
    "batch_size": 32,
}
LANGUAGE: dict[str, Any] = {
    "data": _data("Sentences", as_is=True),
    "model": _own("LanguageModel", words=11),
    "loss": _own("next_token"),
    "metrics": [{"path": "tests.own_code:guessed"}],
    "optimizer": {"name": "adamw", "lr": 0.02},
    "epochs": 12,
    "batch_size": 32,
}
PAIRS: dict[str, Any] = {
    "data": _data("Pairs"),
    "model": _own("Comparer"),
    "metrics": ["f1"],
    "optimizer": {"name": "adam", "lr": 0.03},
    "epochs": 15,
    "batch_size": 32,
}
REGRESSION: dict[str, Any] = {
    "data": {"name": "sklearn", "set": "diabetes"},
    "model": _own("Perceptron", width=32),
    "loss": {"name": "own", "path": "torch.nn:SmoothL1Loss", "options": {"beta": 0.5}},
    "metrics": ["r2"],
    "optimizer": {"name": "adam", "lr": 0.01},
    "epochs": 12,
    "batch_size": 32,
}


def _reports(made: TrainingRecipe, seed: int = 0, checkpoints: Checkpoints | None = None) -> list[EpochReport]:
    return drive(made, seed, checkpoints=checkpoints)[0]


@pytest.mark.parametrize(
    ("settings", "metric", "good"),
    [
        (SEGMENTATION, "val_iou", 0.9),
        (LANGUAGE, "val_guessed", 0.9),
        (PAIRS, "val_f1", 0.9),
        (REGRESSION, "val_r2", 0.2),
    ],
    ids=["segmentation", "text", "pairs", "regression"],
)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_learns(settings: dict[str, Any], metric: str, good: float, precision: str) -> None:
    """Segmentation, a small text model on dicts, a model of two inputs and regression learn what there is to learn."""
    reports = _reports(recipe(**settings, precision=precision))
    assert reports[-1].metrics[metric] > good
    assert min(report.metrics["val_loss"] for report in reports[1:]) < reports[0].metrics["val_loss"]
    assert set(reports[-1].metrics) == set(recipe(**settings).reported_metrics)


@pytest.mark.parametrize("settings", [SEGMENTATION, LANGUAGE, PAIRS], ids=["segmentation", "text", "pairs"])
@pytest.mark.parametrize("hardware", [{"loading": "loader"}, {"compile": "on"}], ids=["loader", "compiled"])
def test_other_ways(settings: dict[str, Any], hardware: dict[str, Any]) -> None:
    """Batches that come from a DataLoader are the same; compiled models learn as well."""
    plain = _reports(recipe(**{**settings, "epochs": 2}))
    other = _reports(recipe(**{**settings, "epochs": 2}, hardware=hardware))
    if "loading" in hardware:
        assert [report.metrics for report in other] == [report.metrics for report in plain]
    assert other[-1].metrics["val_loss"] == pytest.approx(plain[-1].metrics["val_loss"], rel=0.2)


def test_torch_parts_by_path_equal_ours() -> None:
    """Torch's own loss and optimizer, named by path, train exactly as our parts of the same kind do."""
    ours = {"optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9}, "loss": {"name": "cross_entropy"}}
    theirs = {
        "optimizer": {
            "name": "own",
            "path": "torch.optim:SGD",
            "lr": 0.05,
            "options": {"momentum": 0.9, "fused": True},
        },
        "loss": {"name": "own", "path": "torch.nn:CrossEntropyLoss"},
        "metrics": ["accuracy"],
    }
    one, other = _reports(recipe(**DIGITS, **ours)), _reports(recipe(**DIGITS, **theirs))
    for mine, yours in zip(one, other, strict=True):
        assert mine.metrics == pytest.approx(yours.metrics, rel=1e-5)


@pytest.mark.parametrize(
    "loss", [_own("binary"), {"name": "own", "path": "tests.own_code:mean_binary"}], ids=["by sample", "mean"]
)
def test_accumulation(loss: dict[str, Any]) -> None:
    """Two halves of a batch equal the whole one, with a loss that is a mean and with one value a sample."""
    data = {"name": "synthetic", "task": "labels", "samples": 120}
    settings: dict[str, Any] = {"data": data, "loss": loss, "model": _own("Perceptron"), "epochs": 2}
    halves = _reports(recipe(**settings, batch_size=8, accumulation_steps=2))
    whole = _reports(recipe(**settings, batch_size=16))
    assert halves[-1].metrics["val_loss"] == pytest.approx(whole[-1].metrics["val_loss"], abs=1e-5)


def test_an_own_optimizer_follows_the_schedule() -> None:
    """A schedule moves the rates of an optimizer of one's own, whose steps are its own."""
    settings = {**DIGITS, "schedule": {"name": "cosine"}}
    slow = _reports(recipe(**settings, optimizer={"name": "own", "path": "tests.own_code:Slow", "lr": 0.2}))
    plain = _reports(recipe(**settings, optimizer={"name": "own", "path": "torch.optim:SGD", "lr": 0.1}))
    assert [report.metrics for report in slow] == [report.metrics for report in plain]
    assert [report.learning_rate for report in slow] != [report.learning_rate for report in plain]


@pytest.mark.parametrize("settings", [SEGMENTATION, LANGUAGE], ids=["segmentation", "text"])
def test_killed_and_resumed(settings: dict[str, Any], tmp_path: Path) -> None:
    """A training that went on from a checkpoint equals one that was not interrupted, torch's own dropout included."""
    made = recipe(**{**settings, "epochs": 4})
    whole = _reports(made)
    training = train(made, 0, CPU, Checkpoints(tmp_path, every_seconds=0))
    next(training)
    training.send(Answer(verdict=Verdict.CONTINUE))
    with pytest.raises(StopIteration):
        training.send(Answer(verdict=Verdict.PAUSE))
    rest = _reports(made, checkpoints=Checkpoints(tmp_path, every_seconds=0))
    assert [report.metrics for report in rest] == [report.metrics for report in whole[-len(rest) :]]
    assert 0 < len(rest) < 4


def test_draws_are_the_trials_own() -> None:
    """Code that draws from torch's generators gets the same numbers in every run of a trial, and others in another."""
    made = recipe(**DIGITS, augment={"own": {"path": "tests.own_code:noisy", "options": {"scale": 0.5}}})
    first = _reports(made)
    torch.manual_seed(123)
    assert [report.metrics for report in _reports(made)] == [report.metrics for report in first]
    assert _reports(made, seed=1)[-1].metrics != first[-1].metrics


def test_costs() -> None:
    """What a model of one's own costs is counted, and measured."""
    details = open_lane(recipe(**LANGUAGE), 0, CPU).details()
    assert details["num_parameters"] > 0
    assert details["forward_flops"] > 0
    assert measure_cost(recipe(**LANGUAGE), 0, CPU, seconds=0.0).epoch_seconds > 0


def test_kept_and_loaded(tmp_path: Path) -> None:
    """A trained model of one's own is written, loaded and exported, and answers the same."""
    for settings in (SEGMENTATION, LANGUAGE, PAIRS):
        lane = open_lane(recipe(**{**settings, "epochs": 1}), 0, CPU)
        lane.train_epoch(1)
        stored = lane.raw.test.take(torch.arange(3)).inputs
        example, module = lane.example(), deployable(lane)
        write_model(module, lane, tmp_path / "model.safetensors")
        if settings is SEGMENTATION:
            stored = stored.permute(0, 3, 1, 2).float()
        expected = module(stored)
        found = load_model(tmp_path / "model.safetensors")(stored)
        assert all(map(torch.equal, _leaves(found), _leaves(expected)))
        if settings is not LANGUAGE:
            export_model(module, example, tmp_path / "model.pt2", "torch")
            exported = torch.export.load(tmp_path / "model.pt2").module()(stored)
            assert torch.allclose(exported, expected, atol=1e-5)


def _leaves(outputs: Any) -> list[torch.Tensor]:
    return list(outputs.values()) if isinstance(outputs, dict) else [outputs]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a model that is none": ({"model": _own("nothing")}, "'tests.own_code:nothing' made int, not a torch.nn.Module"),
    "a model that fails": ({"model": _own("failing")}, "this code is not finished"),
    "no such model": ({"model": _own("Nett")}, "'tests.own_code:Nett': module tests.own_code has no .* 'Nett'"),
    "an optimizer that is none": ({"optimizer": _own("failing")}, "this code is not finished"),
    "token ids in an mlp": ({**LANGUAGE, "model": {"name": "mlp"}}, "model 'mlp' does not take inputs that keep"),
    "masks in cross-entropy": (
        {**SEGMENTATION, "loss": {"name": "cross_entropy"}},
        r"targets of the data are own .* one of your own, \{ name = \"own\"",
    ),
    "accuracy of masks": (
        {**SEGMENTATION, "metrics": ["accuracy"]},
        "'accuracy' does not go with .* own",
    ),
    "flipped images, masks not": ({**SEGMENTATION, "augment": {"flip": "random"}}, "use augment.own"),
    "outputs that nobody knows": (
        {**SEGMENTATION, "model": {"name": "small_cnn"}},
        "model 'small_cnn' has to know how many outputs",
    ),
    "scaled token ids": ({**LANGUAGE, "preprocess": {"normalize": "range"}}, "nothing is scaled"),
    "a frozen body without a head": (
        {**DIGITS, "model": _own("Perceptron"), "transfer": {"freeze": "backbone"}},
        "the model does not tell its head",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    """What does not go together is told before anything is trained."""
    settings, message = REFUSED[case]
    made = recipe(**{"data": {"name": "digits"}, **settings})
    with pytest.raises((ValueError, RuntimeError), match=message):
        Lane(made, load_dataset(made.data, CPU), 0, CPU)


def test_what_code_of_ones_own_must_not_do() -> None:
    """A loss that would have to be trained, and an augmentation that makes samples, are refused by their names."""
    with pytest.raises(ValueError, match="own_code:Weighted' has parameters, which are not trained"):
        open_lane(recipe(**DIGITS, loss=_own("Weighted")), 0, CPU)
    made = recipe(**DIGITS, augment={"own": {"path": "tests.own_code:doubled"}})
    with pytest.raises(ValueError, match="own_code:doubled' made 64 inputs and 64 targets of 32"):
        _reports(made)


NAMED: dict[str, tuple[dict[str, Any], str]] = {
    "a metric that fails": ({"metrics": [{"path": "tests.own_code:failing"}]}, "metric 'tests.own_code:failing': Runt"),
    "a loss that fails": (
        {"loss": _own("columns_loss")},
        r"loss 'tests.own_code:columns_loss' of outputs float32 \[32, 10\] and targets int64 \[32\]: RuntimeError",
    ),
    "outputs that a loss does not take": (
        {"model": {"name": "own", "path": "tests.own_code:Segmenter"}},
        r"model 'tests.own_code:Segmenter' returned float32 \[32, 2, 8, 8\], which the loss 'cross_entropy' does not",
    ),
}


@pytest.mark.parametrize("case", NAMED)
def test_errors_name_the_part(case: str) -> None:
    """What fails in code of one's own is told with its path, and with what it was given."""
    settings, message = NAMED[case]
    with pytest.raises(ValueError, match=message):
        _reports(recipe(**{**DIGITS, **settings}))


UNKNOWN: dict[str, tuple[dict[str, Any], str]] = {
    "two metrics of one name": (
        {"metrics": ["accuracy", {"path": "torchmetrics:Accuracy"}]},
        "'accuracy' stands there twice",
    ),
    "mixed targets": (
        {"loss": {"name": "own", "path": "torch.nn:CrossEntropyLoss"}, "augment": {"mixup_alpha": 0.2}},
        "which a loss of your own does not take",
    ),
    "a rate twice": ({"optimizer": {**_own("Slow"), "options": {"weight_decay": 0.1}}}, "set optimizer.weight_decay"),
    "no path": ({"model": {"name": "own", "path": "my_model"}}, "pattern"),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_recipes_that_are_none(case: str) -> None:
    """What cannot be is told when the recipe is made."""
    settings, message = UNKNOWN[case]
    with pytest.raises(ValueError, match=message):
        recipe(**{"data": {"name": "digits"}, **settings})


def test_what_a_loss_returns() -> None:
    """A loss that returns neither a scalar nor a value for each sample is refused in its first step, by its name."""
    made = recipe(**DIGITS, loss={"name": "own", "path": "torch.nn:CrossEntropyLoss", "options": {"reduction": "none"}})
    assert math.isfinite(_reports(made)[-1].metrics["val_loss"])
    wrong = recipe(**DIGITS, loss={"name": "own", "path": "tests.own_code:outputs_alone"})
    with pytest.raises(
        ValueError, match=r"outputs_alone' returned of shape \[32, 10\], neither a scalar nor one value"
    ):
        _reports(wrong)


def test_edited_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loss that was edited since the last trial is the new one in the next, in the same process."""
    monkeypatch.chdir(tmp_path)
    code = "def loss(outputs, targets):\n    return outputs.square().mean(dim=1) + {}\n"
    made = recipe(**DIGITS, loss={"name": "own", "path": "edited_loss:loss"})
    (tmp_path / "edited_loss.py").write_text(code.format(1))
    assert 1 < _reports(made)[0].metrics["val_loss"] < 2
    (tmp_path / "edited_loss.py").write_text(code.format("100.0"))
    assert 100 < _reports(made)[0].metrics["val_loss"] < 101
